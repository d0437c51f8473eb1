// The activations, one value at a time. Formulas: kernels/reference/activation.h; here in forms that lose no digits in
// f32. expf, erfcf and their like are the CUDA library's, within 4 units in the last place (CUDA C++ Programming Guide,
// "Mathematical Functions"), and the C library's in the host shim.
#pragma once

#include "kernels/activation.h"
#include "kernels/cuda/device_ops.h"

namespace tw::cuda {

// x / (1 + exp(-z)): what gelu's approximations and its quick relatives come to.
__device__ __forceinline__ float gated(float x, float z) { return x / (1.0f + expf(-z)); }
// x Phi(x); erfc keeps the digits of the tail.
__device__ __forceinline__ float gelu(float x) { return 0.5f * x * erfcf(-0.70710678f * x); }
// 0.5 x (1 + tanh(u)) = x / (1 + exp(-2 u))
__device__ __forceinline__ float gelu_tanh(float x) {
  return gated(x, 2.0f * 0.7978845608f * (x * fmaf(0.044715f * x, x, 1.0f)));
}
// x tanh(log(1 + e)) = x (e^2 + 2 e) / (e^2 + 2 e + 2) with e = exp(x)
__device__ __forceinline__ float mish(float x) {
  if (x > 20.0f) return x;
  const float e = expf(x), n = e * (e + 2.0f);
  return x * (n / (n + 2.0f));
}

// Calls body(f) with the function that the activation is.
template <class Body>
__device__ __forceinline__ void with_activation(Activation activation, Body body) {
  switch (activation) {
    case Activation::linear:
      return body([](float x) { return x; });
    case Activation::gelu:
      return body([](float x) { return gelu(x); });
    case Activation::gelu_tanh:
    case Activation::gelu_fast:  // its constants differ by less than f32 shows
      return body([](float x) { return gelu_tanh(x); });
    case Activation::gelu_10:
      return body([](float x) {
        const float y = gelu(x);
        return y < -10.0f ? -10.0f : y > 10.0f ? 10.0f : y;
      });
    case Activation::quick_gelu:
      return body([](float x) { return gated(x, 1.702f * x); });
    case Activation::silu:
      return body([](float x) { return gated(x, x); });
    case Activation::relu:
      return body([](float x) { return x < 0.0f ? 0.0f : x; });
    case Activation::relu2:
      return body([](float x) { return x < 0.0f ? 0.0f : x * x; });
    case Activation::relu6:
      return body([](float x) { return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x; });
    case Activation::leaky_relu:
      return body([](float x) { return x < 0.0f ? 0.01f * x : x; });
    case Activation::selu:
      return body([](float x) { return 1.05070098f * (x > 0.0f ? x : 1.67326324f * expm1f(x)); });
    case Activation::mish:
      return body([](float x) { return mish(x); });
    case Activation::laplace:
      return body([](float x) { return 0.5f * erfcf(-(x - 0.707107f) / (0.282095f * 1.41421356f)); });
    case Activation::sigmoid:
      return body([](float x) { return 1.0f / (1.0f + expf(-x)); });
    case Activation::tanh:
      return body([](float x) { return tanhf(x); });
  }
}

__device__ inline float activate(Activation activation, float x) {
  with_activation(activation, [&](auto f) { x = f(x); });
  return x;
}
// Several at once: the activation is found out once, and one value need not wait for the next.
template <int kCount>
__device__ __forceinline__ void activate(Activation activation, float (&x)[kCount]) {
  with_activation(activation, [&](auto f) {
#pragma unroll
    for (float& v : x) v = f(v);
  });
}

}  // namespace tw::cuda
