// A number on its way to an array whose type is known when the kernel runs.
#pragma once

#include "kernels/cuda/device_ops.h"

namespace tw::cuda {

// Element `i` of an array of the type, f32, bf16, f16 or e4m3: v, rounded; e4m3: factor times v.
__device__ __forceinline__ void store(void* to, DType type, int64_t i, float v, float factor) {
  if (type == DType::f32) {
    static_cast<float*>(to)[i] = v;
  } else if (type == DType::e4m3) {
    static_cast<uint8_t*>(to)[i] = static_cast<uint8_t>(round_e4m3_pair(v * factor, 0.0f));
  } else {
    static_cast<uint16_t*>(to)[i] = type == DType::f16 ? round_half<DType::f16>(v) : round_half<DType::bf16>(v);
  }
}

}  // namespace tw::cuda
