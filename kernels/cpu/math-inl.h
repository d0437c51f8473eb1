// Elementary functions on vectors. Coefficients: scripts/fit_math.py (own fits; their errors stand there).
#pragma once

#include <stddef.h>

#include "kernels/activation.h"
#include "kernels/cpu/lanes.h"

namespace tw {
namespace {

// c[0] + c[1] x + ... , Horner's rule.
template <class V, size_t N>
TUWEN_INLINE V polynomial(const float (&c)[N], V x) {
  V y(c[N - 1]);
  for (size_t i = N - 1; i-- > 0;) y = fma(y, x, V(c[i]));
  return y;
}

// 2^x for a polynomial of 2^rest.
template <class V, size_t N>
TUWEN_INLINE V exp2_by(const float (&c)[N], V x) {
  const Power<V> power = power_of_two(x);
  return scale(power, polynomial(c, power.rest));
}

// 2^x to a relative error of 2e-7.
template <class V>
TUWEN_INLINE V exp2(V x) {
  constexpr float kP[] = {1.0f, 0.6931513171f, 0.2401644119f, 0.05580000565f, 0.009016938342f, 0.001867162436f};
  return exp2_by(kP, x);
}

// The same to 3e-6, for what is rounded to bf16 next.
template <class V>
TUWEN_INLINE V exp2_roughly(V x) {
  constexpr float kP[] = {1.0f, 0.6930448325f, 0.2412802615f, 0.05224239479f, 0.01342671921f};
  return exp2_by(kP, x);
}

constexpr float kLog2OfE = 1.44269504f;

// e^x = 2^n (1 + m): n whole, |x - n ln 2| <= ln(2) / 2.  Cody and Waite's reduction with ln 2 in two parts.
template <class V>
struct SplitExp {
  V n, m;
};
template <class V>
TUWEN_INLINE SplitExp<V> split_exp(V x) {
  constexpr float kQ[] = {0.4999999345f, 0.1666652063f, 0.04166838787f, 0.00836871702f, 0.001381461199f};
  const V clamped = max(V(-104.0f), min(V(89.0f), x));  // beyond: 0 and infinity; NaN stays
  const V n = round(clamped * V(kLog2OfE));
  const V r = fnma(n, V(-2.12194440e-4f), fnma(n, V(0.693359375f), clamped));
  return {n, fma(r * r, polynomial(kQ, r), r)};
}

template <class V>
TUWEN_INLINE V exp(V x) {
  const SplitExp<V> e = split_exp(x);
  return scale(power_of_two(e.n), V(1.0f) + e.m);
}

// e^x - 1 without cancellation near 0; x <= 88.
template <class V>
TUWEN_INLINE V expm1(V x) {
  const SplitExp<V> e = split_exp(x);
  const V power = scale(power_of_two(e.n), V(1.0f));
  return fma(power, e.m, power - V(1.0f));
}

// erf(x / sqrt 2), absolute error below 4e-7.
template <class V>
TUWEN_INLINE V erf_over_sqrt2(V x) {
  constexpr float kP[] = {0.7978844434f,    0.06875120834f, 0.009414448195f,
                          0.0003476892092f, 1.27127893e-5f, 4.429034904e-8f};
  constexpr float kQ[] = {1.0f, 0.2528325762f, 0.028939787f, 0.00191294564f, 7.509940855e-5f, 1.18019738e-6f};
  const V t = x * x;
  const V inside = x * polynomial(kP, t) / polynomial(kQ, t);
  return select(less(V(5.6f), abs(x)), copy_sign(V(1.0f), x), inside);
}

template <class V>
TUWEN_INLINE V tanh(V x) {
  constexpr float kP[] = {0.9999999986f,   0.1367614773f,   0.003863606481f,
                          2.791219262e-5f, 3.035607803e-8f, -1.203398704e-11f};
  constexpr float kQ[] = {1.0f, 0.4700947967f, 0.02722856115f, 0.0003930306496f, 1.280711719e-6f};
  const V t = x * x;
  const V inside = x * polynomial(kP, t) / polynomial(kQ, t);
  return select(less(V(9.1f), abs(x)), copy_sign(V(1.0f), x), inside);
}

template <class V>
TUWEN_INLINE V sigmoid(V x) {
  return V(1.0f) / (V(1.0f) + exp(V(0.0f) - x));
}

// x c(x) for a c that goes from 0 to 1 with c(x) + c(-x) = 1, as max(x, 0) - |x| c(-|x|): nothing cancels where x is
// negative, as it would in x / 2 (1 + erf). The small term is a quotient to the fourth power; beyond `limit` it is 0.
template <class V, size_t NP, size_t NQ>
TUWEN_INLINE V gate(V x, const float (&p)[NP], const float (&q)[NQ], float limit) {
  const V a = abs(x), positive = fma(V(0.5f), a, V(0.5f) * x);  // NaN for -infinity, where the formula has inf * 0
  const V root = polynomial(p, a) / polynomial(q, a), square = root * root;
  return positive - select(less(V(limit), a), V(0.0f), a * (square * square));
}

template <class V>
TUWEN_INLINE V gelu(V x) {
  constexpr float kP[] = {0.840896343f, -0.1940697853f, 0.002410933129f, 0.001309870163f};
  constexpr float kQ[] = {1.0f, -0.03132165421f, 0.05632653148f, 0.005397517465f, 1.71356642e-5f, 0.0003588203235f};
  return gate(x, kP, kQ, 6.0f);
}

// Also gelu_fast: its constants are the same to ten digits.
template <class V>
TUWEN_INLINE V gelu_tanh(V x) {
  constexpr float kP[] = {0.8408965836f, -0.3421333879f, 0.04759990748f, -0.002321372091f};
  constexpr float kQ[] = {1.0f, -0.2073891171f, 0.07488083254f, -0.005755693969f, -0.0003098170211f, 0.0003890286354f};
  return gate(x, kP, kQ, 5.5f);
}

// x tanh(log(1 + e^x)): with u = e^x (e^x + 2) the tanh is u / (u + 2).
template <class V>
TUWEN_INLINE V mish(V x) {
  const V e = exp(min(V(20.0f), x)), u = e * (e + V(2.0f));
  return select(less(V(20.0f), x), x, x * u / (u + V(2.0f)));
}

// The formulas of kernels/reference/activation.h, one case each. Calls body(f) once with the function object chosen, so
// that the choice is made once a row and not once a vector.
template <class V, class Body>
TUWEN_INLINE void with_activation(Activation activation, Body body) {
  switch (activation) {
    case Activation::linear:
      return body([](V x) { return x; });
    case Activation::gelu:
      return body([](V x) { return gelu(x); });
    case Activation::gelu_tanh:
    case Activation::gelu_fast:
      return body([](V x) { return gelu_tanh(x); });
    case Activation::gelu_10:
      return body([](V x) { return max(V(-10.0f), min(V(10.0f), gelu(x))); });
    case Activation::quick_gelu:
      return body([](V x) { return x * reciprocal(V(1.0f) + exp2(x * V(-1.702f * kLog2OfE))); });
    case Activation::silu:
      return body([](V x) { return x * sigmoid(x); });
    case Activation::relu:
      return body([](V x) { return max(V(0.0f), x); });
    case Activation::relu2:
      return body([](V x) {
        const V r = max(V(0.0f), x);
        return r * r;
      });
    case Activation::relu6:
      return body([](V x) { return max(V(0.0f), min(V(6.0f), x)); });
    case Activation::leaky_relu:
      return body([](V x) { return select(less(x, V(0.0f)), x * V(0.01f), x); });
    case Activation::selu:
      return body(
          [](V x) { return V(1.0507009873554805f) * select(less(V(0.0f), x), x, V(1.6732632423543772f) * expm1(x)); });
    case Activation::mish:
      return body([](V x) { return mish(x); });
    case Activation::laplace:
      return body([](V x) {
        const V z = (x - V(0.707107f)) * V(static_cast<float>(1 / 0.282095));
        return fma(V(0.5f), erf_over_sqrt2(z), V(0.5f));
      });
    case Activation::sigmoid:
      return body([](V x) { return sigmoid(x); });
    case Activation::tanh:
      return body([](V x) { return tanh(x); });
  }
}

// Not inlined: one copy a table, and the tiles that call it stay small.
template <class V>
__attribute__((noinline)) void activate_row(Activation activation, float* y, const float* x, int64_t n) {
  with_activation<V>(activation, [&](auto f) {
    for_each_vector<V>(n, [&](int64_t i, auto lanes) { f(V::load(x + i, lanes)).store(y + i, lanes); });
  });
}

}  // namespace
}  // namespace tw
