// One f32 lane: the twin of the vector types, to debug the shared templates in and to test them without any ISA.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/dtype.h"
#include "kernels/cpu/lanes.h"

namespace tw {
namespace {

struct F32x1 {
  static constexpr int kLanes = 1;
  using Mask = bool;
  float v;

  TUWEN_INLINE F32x1() = default;
  TUWEN_INLINE explicit F32x1(float all) : v(all) {}
  static TUWEN_INLINE F32x1 load(const float* p, All = {}) { return F32x1{*p}; }
  static TUWEN_INLINE F32x1 load(const float* p, First) { return F32x1{*p}; }
  TUWEN_INLINE void store(float* p, All = {}) const { *p = v; }
  TUWEN_INLINE void store(float* p, First) const { *p = v; }
};

TUWEN_INLINE F32x1 operator+(F32x1 a, F32x1 b) { return F32x1{a.v + b.v}; }
TUWEN_INLINE F32x1 operator-(F32x1 a, F32x1 b) { return F32x1{a.v - b.v}; }
TUWEN_INLINE F32x1 operator*(F32x1 a, F32x1 b) { return F32x1{a.v * b.v}; }
TUWEN_INLINE F32x1 operator/(F32x1 a, F32x1 b) { return F32x1{a.v / b.v}; }
TUWEN_INLINE F32x1 fma(F32x1 a, F32x1 b, F32x1 c) { return F32x1{std::fma(a.v, b.v, c.v)}; }
TUWEN_INLINE F32x1 fnma(F32x1 a, F32x1 b, F32x1 c) { return F32x1{std::fma(-a.v, b.v, c.v)}; }
TUWEN_INLINE F32x1 max(F32x1 a, F32x1 b) { return a.v > b.v ? a : b; }
TUWEN_INLINE F32x1 min(F32x1 a, F32x1 b) { return a.v < b.v ? a : b; }
TUWEN_INLINE F32x1 round(F32x1 a) { return F32x1{std::nearbyint(a.v)}; }
TUWEN_INLINE F32x1 abs(F32x1 a) { return F32x1{std::fabs(a.v)}; }
TUWEN_INLINE F32x1 copy_sign(F32x1 magnitude, F32x1 sign) { return F32x1{std::copysign(magnitude.v, sign.v)}; }
TUWEN_INLINE bool less(F32x1 a, F32x1 b) { return a.v < b.v; }
TUWEN_INLINE F32x1 select(bool m, F32x1 yes, F32x1 no) { return m ? yes : no; }
TUWEN_INLINE F32x1 select(First, F32x1 yes, F32x1) { return yes; }
TUWEN_INLINE F32x1 select(All, F32x1 yes, F32x1) { return yes; }
TUWEN_INLINE F32x1 reciprocal(F32x1 a) { return F32x1(1.0f) / a; }
TUWEN_INLINE Power<F32x1> power_of_two(F32x1 x) {
  const F32x1 within = max(F32x1(-152.0f), min(F32x1(129.0f), x)), whole{std::floor(within.v)};
  return {whole, within - whole};
}
TUWEN_INLINE F32x1 scale(Power<F32x1> power, F32x1 a) {
  return F32x1{std::ldexp(a.v, static_cast<int>(power.whole.v))};
}
TUWEN_INLINE float sum(F32x1 a) { return a.v; }
TUWEN_INLINE float max_lane(F32x1 a) { return a.v; }
TUWEN_INLINE F32x1 load_f16(F32x1, const uint16_t* p) { return F32x1{f16_to_f32(*p)}; }
template <class Lanes = All>
TUWEN_INLINE F32x1 load_bf16(F32x1, const uint16_t* p, Lanes = {}) {
  return F32x1{bf16_to_f32(*p)};
}
template <class Lanes = All>
TUWEN_INLINE void store_bf16(uint16_t* p, F32x1 a, Lanes = {}) {
  *p = f32_to_bf16(a.v);
}
TUWEN_INLINE Pairs<F32x1> load_pairs(F32x1, const char* p) {
  uint16_t pair[2];
  std::memcpy(pair, p, sizeof pair);
  return {F32x1{bf16_to_f32(pair[0])}, F32x1{bf16_to_f32(pair[1])}};
}
template <class Lanes = All>
TUWEN_INLINE void interleave_bf16(F32x1, uint16_t* out, const uint16_t* even, const uint16_t* odd, Lanes = {}) {
  out[0] = *even, out[1] = *odd;
}
TUWEN_INLINE void transpose_16x16(F32x1, float* out, const float* in, int64_t stride, int rows, First columns) {
  for (int c = 0; c < columns.count; ++c)
    for (int r = 0; r < 16; ++r) out[c * 16 + r] = r < rows ? in[r * stride + c] : 0.0f;
}

}  // namespace
}  // namespace tw
