// Eight f32 lanes. The same interface as simd_avx512.h and simd_scalar.h; instruction choices live here alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/lanes.h"

namespace tw {
namespace {

struct F32x8 {
  static constexpr int kLanes = 8;
  using Mask = __m256;
  __m256 v;

  TUWEN_INLINE F32x8() = default;
  TUWEN_INLINE F32x8(__m256 raw) : v(raw) {}
  TUWEN_INLINE explicit F32x8(float all) : v(_mm256_set1_ps(all)) {}

  static TUWEN_INLINE __m256i mask_of(First f) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(f.count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static TUWEN_INLINE F32x8 load(const float* p, All = {}) { return _mm256_loadu_ps(p); }
  static TUWEN_INLINE F32x8 load(const float* p, First f) { return _mm256_maskload_ps(p, mask_of(f)); }
  TUWEN_INLINE void store(float* p, All = {}) const { _mm256_storeu_ps(p, v); }
  TUWEN_INLINE void store(float* p, First f) const { _mm256_maskstore_ps(p, mask_of(f), v); }
};

TUWEN_INLINE F32x8 operator+(F32x8 a, F32x8 b) { return _mm256_add_ps(a.v, b.v); }
TUWEN_INLINE F32x8 operator-(F32x8 a, F32x8 b) { return _mm256_sub_ps(a.v, b.v); }
TUWEN_INLINE F32x8 operator*(F32x8 a, F32x8 b) { return _mm256_mul_ps(a.v, b.v); }
TUWEN_INLINE F32x8 operator/(F32x8 a, F32x8 b) { return _mm256_div_ps(a.v, b.v); }
TUWEN_INLINE F32x8 fma(F32x8 a, F32x8 b, F32x8 c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }    // a b + c
TUWEN_INLINE F32x8 fnma(F32x8 a, F32x8 b, F32x8 c) { return _mm256_fnmadd_ps(a.v, b.v, c.v); }  // c - a b
// The second operand wins when either is NaN: write max(limit, x) to let a NaN through.
TUWEN_INLINE F32x8 max(F32x8 a, F32x8 b) { return _mm256_max_ps(a.v, b.v); }
TUWEN_INLINE F32x8 min(F32x8 a, F32x8 b) { return _mm256_min_ps(a.v, b.v); }
TUWEN_INLINE F32x8 round(F32x8 a) { return _mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
TUWEN_INLINE F32x8 abs(F32x8 a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v); }
TUWEN_INLINE F32x8 copy_sign(F32x8 magnitude, F32x8 sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_andnot_ps(bit, magnitude.v), _mm256_and_ps(bit, sign.v));
}
TUWEN_INLINE __m256 less(F32x8 a, F32x8 b) { return _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ); }
TUWEN_INLINE F32x8 select(__m256 m, F32x8 yes, F32x8 no) { return _mm256_blendv_ps(no.v, yes.v, m); }
TUWEN_INLINE F32x8 select(First f, F32x8 yes, F32x8 no) {
  return select(_mm256_castsi256_ps(F32x8::mask_of(f)), yes, no);
}
TUWEN_INLINE F32x8 select(All, F32x8 yes, F32x8) { return yes; }
// 1 / a for a >= 1.
TUWEN_INLINE F32x8 reciprocal(F32x8 a) { return F32x8(1.0f) / a; }
// 2^x = 2^floor(x) 2^rest, with correct overflow and gradual underflow. Beyond the limits are infinity and 0; NaN
// stays.
TUWEN_INLINE Power<F32x8> power_of_two(F32x8 x) {
  const F32x8 within = max(F32x8(-152.0f), min(F32x8(129.0f), x)), whole = _mm256_floor_ps(within.v);
  return {whole, within - whole};
}
TUWEN_INLINE F32x8 scale(Power<F32x8> power, F32x8 a) {  // by two factors: one exponent field cannot hold them all
  const __m256i whole = _mm256_cvtps_epi32(power.whole.v), half = _mm256_srai_epi32(whole, 1);
  const auto of = [](__m256i e) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
  };
  return _mm256_mul_ps(_mm256_mul_ps(a.v, of(half)), of(_mm256_sub_epi32(whole, half)));
}
// Halves are folded onto each other: 8 -> 4 -> 2 -> 1.
TUWEN_INLINE float sum(F32x8 a) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
TUWEN_INLINE float max_lane(F32x8 a) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

TUWEN_INLINE F32x8 load_f16(F32x8, const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
TUWEN_INLINE __m128i load_u16(const uint16_t* p, All = {}) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
TUWEN_INLINE __m128i load_u16(const uint16_t* p, First f) {
  uint16_t part[8] = {};
  for (int i = 0; i < f.count; ++i) part[i] = p[i];
  return load_u16(part);
}
template <class Lanes = All>
TUWEN_INLINE F32x8 load_bf16(F32x8, const uint16_t* p, Lanes lanes = {}) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_u16(p, lanes)), 16));
}
TUWEN_INLINE Pairs<F32x8> pairs_of(__m256i both) {
  alignas(32) static constexpr uint32_t kUpper[8] = {0xFFFF0000u, 0xFFFF0000u, 0xFFFF0000u, 0xFFFF0000u,
                                                     0xFFFF0000u, 0xFFFF0000u, 0xFFFF0000u, 0xFFFF0000u};
  __m256i odd;  // from memory: product loops have no register left for the mask
  __asm__("vpand %2, %1, %0" : "=x"(odd) : "x"(both), "m"(kUpper));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(both, 16)), _mm256_castsi256_ps(odd)};
}
TUWEN_INLINE Pairs<F32x8> load_pairs(F32x8, const char* p) {
  return pairs_of(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
// Two rows of bf16 as one row of pairs; lanes that take no part become zero.
template <class Lanes = All>
TUWEN_INLINE void interleave_bf16(F32x8, uint16_t* out, const uint16_t* even, const uint16_t* odd, Lanes lanes = {}) {
  const __m256i low = _mm256_cvtepu16_epi32(load_u16(even, lanes)), high = _mm256_cvtepu16_epi32(load_u16(odd, lanes));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_or_si256(low, _mm256_slli_epi32(high, 16)));
}
TUWEN_INLINE __m128i bf16_of(F32x8 a) {
  const __m256i u = _mm256_castps_si256(a.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7FFF)), odd), 16);
  const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(0x40));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
  const __m256i result = _mm256_blendv_epi8(rounded, quiet, nan);
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(result, result), 0x08));
}
TUWEN_INLINE void store_bf16(uint16_t* p, F32x8 a, All = {}) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bf16_of(a));
}
TUWEN_INLINE void store_bf16(uint16_t* p, F32x8 a, First f) {
  uint16_t part[8];
  store_bf16(part, a);
  for (int i = 0; i < f.count; ++i) p[i] = part[i];
}

// Sixteen rows of up to sixteen floats, turned, eight by eight. Missing rows read as zero; writes out[c * 16 + r].
TUWEN_INLINE void transpose_16x16(F32x8, float* out, const float* in, int64_t stride, int rows, First columns) {
  for (int c0 = 0; c0 < columns.count; c0 += 8) {
    const int width = columns.count - c0 < 8 ? columns.count - c0 : 8;
    for (int r0 = 0; r0 < 16; r0 += 8) {
      __m256 r[8], t[8];
      for (int i = 0; i < 8; ++i)
        r[i] = r0 + i < rows ? F32x8::load(in + (r0 + i) * stride + c0, First{width}).v : _mm256_setzero_ps();
      for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
      }
      for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
      }
      for (int j = 0; j < 4; ++j) {
        t[j] = _mm256_permute2f128_ps(r[j], r[4 + j], 0x20);
        t[4 + j] = _mm256_permute2f128_ps(r[j], r[4 + j], 0x31);
      }
      for (int j = 0; j < width; ++j) _mm256_storeu_ps(out + (c0 + j) * 16 + r0, t[j]);
    }
  }
}

}  // namespace
}  // namespace tw
