// Sixteen f32 lanes. The same interface as simd_avx2.h and simd_scalar.h; instruction choices live here alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/lanes.h"

namespace tw {
namespace {

struct F32x16 {
  static constexpr int kLanes = 16;
  using Mask = __mmask16;
  __m512 v;

  TUWEN_INLINE F32x16() = default;
  TUWEN_INLINE F32x16(__m512 raw) : v(raw) {}
  TUWEN_INLINE explicit F32x16(float all) : v(_mm512_set1_ps(all)) {}

  static TUWEN_INLINE __mmask16 mask_of(First f) { return static_cast<__mmask16>((1u << f.count) - 1u); }
  static TUWEN_INLINE F32x16 load(const float* p, All = {}) { return _mm512_loadu_ps(p); }
  static TUWEN_INLINE F32x16 load(const float* p, First f) { return _mm512_maskz_loadu_ps(mask_of(f), p); }
  TUWEN_INLINE void store(float* p, All = {}) const { _mm512_storeu_ps(p, v); }
  TUWEN_INLINE void store(float* p, First f) const { _mm512_mask_storeu_ps(p, mask_of(f), v); }
};

TUWEN_INLINE F32x16 operator+(F32x16 a, F32x16 b) { return _mm512_add_ps(a.v, b.v); }
TUWEN_INLINE F32x16 operator-(F32x16 a, F32x16 b) { return _mm512_sub_ps(a.v, b.v); }
TUWEN_INLINE F32x16 operator*(F32x16 a, F32x16 b) { return _mm512_mul_ps(a.v, b.v); }
TUWEN_INLINE F32x16 operator/(F32x16 a, F32x16 b) { return _mm512_div_ps(a.v, b.v); }
TUWEN_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }    // a b + c
TUWEN_INLINE F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) { return _mm512_fnmadd_ps(a.v, b.v, c.v); }  // c - a b
// The second operand wins when either is NaN: write max(limit, x) to let a NaN through.
TUWEN_INLINE F32x16 max(F32x16 a, F32x16 b) { return _mm512_max_ps(a.v, b.v); }
TUWEN_INLINE F32x16 min(F32x16 a, F32x16 b) { return _mm512_min_ps(a.v, b.v); }
TUWEN_INLINE F32x16 round(F32x16 a) { return _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
TUWEN_INLINE F32x16 abs(F32x16 a) { return _mm512_abs_ps(a.v); }
TUWEN_INLINE F32x16 copy_sign(F32x16 magnitude, F32x16 sign) {
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32(INT32_MIN), _mm512_castps_si512(sign.v),
                                                       _mm512_castps_si512(magnitude.v), 0xCA));
}
TUWEN_INLINE __mmask16 less(F32x16 a, F32x16 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
TUWEN_INLINE F32x16 select(__mmask16 m, F32x16 yes, F32x16 no) { return _mm512_mask_blend_ps(m, no.v, yes.v); }
TUWEN_INLINE F32x16 select(First f, F32x16 yes, F32x16 no) { return select(F32x16::mask_of(f), yes, no); }
TUWEN_INLINE F32x16 select(All, F32x16 yes, F32x16) { return yes; }
// 1 / a within an ulp for a >= 1, 0 beyond 2^126: an estimate of 14 bits and a step of Newton's, for half of a
// division's cycles.
TUWEN_INLINE F32x16 reciprocal(F32x16 a) {
  const F32x16 estimate = _mm512_rcp14_ps(a.v);
  const F32x16 better = fma(estimate, fnma(a, estimate, F32x16(1.0f)), estimate);
  return select(less(F32x16(0x1p126f), a), F32x16(0.0f), better);
}
// 2^x = 2^floor(x) 2^rest, with correct overflow and gradual underflow. The scaling instruction takes the floor.
TUWEN_INLINE Power<F32x16> power_of_two(F32x16 x) {
  return {x, _mm512_reduce_ps(x.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
TUWEN_INLINE F32x16 scale(Power<F32x16> power, F32x16 a) { return _mm512_scalef_ps(a.v, power.whole.v); }
// Halves are folded onto each other: 16 -> 8 -> 4 -> 2 -> 1.
TUWEN_INLINE float sum(F32x16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
TUWEN_INLINE float max_lane(F32x16 a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

TUWEN_INLINE F32x16 load_f16(F32x16, const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
TUWEN_INLINE __m256i load_u16(const uint16_t* p, All = {}) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
TUWEN_INLINE __m256i load_u16(const uint16_t* p, First f) { return _mm256_maskz_loadu_epi16(F32x16::mask_of(f), p); }
template <class Lanes = All>
TUWEN_INLINE F32x16 load_bf16(F32x16, const uint16_t* p, Lanes lanes = {}) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_u16(p, lanes)), 16));
}
TUWEN_INLINE Pairs<F32x16> pairs_of(__m512i both) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(both, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))))};
}
TUWEN_INLINE Pairs<F32x16> load_pairs(F32x16, const char* p) { return pairs_of(_mm512_loadu_si512(p)); }
// Two rows of bf16 as one row of pairs; lanes that take no part become zero.
template <class Lanes = All>
TUWEN_INLINE void interleave_bf16(F32x16, uint16_t* out, const uint16_t* even, const uint16_t* odd, Lanes lanes = {}) {
  const __m512i low = _mm512_cvtepu16_epi32(load_u16(even, lanes)), high = _mm512_cvtepu16_epi32(load_u16(odd, lanes));
  _mm512_storeu_si512(out, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
#ifdef __AVX512BF16__  // denormals become zero
TUWEN_INLINE __m256i bf16_of(F32x16 a) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(a.v)); }
#else
TUWEN_INLINE __m256i bf16_of(F32x16 a) {
  const __m512i u = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7FFF)), odd), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(0x40));
  const __m512i result = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q), rounded, quiet);
  return _mm512_cvtepi32_epi16(result);
}
#endif
TUWEN_INLINE void store_bf16(uint16_t* p, F32x16 a, All = {}) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bf16_of(a));
}
TUWEN_INLINE void store_bf16(uint16_t* p, F32x16 a, First f) {
  _mm256_mask_storeu_epi16(p, F32x16::mask_of(f), bf16_of(a));
}

// Sixteen rows of sixteen floats, turned. `rows` may be fewer (missing ones read as zero); writes out[c * 16 + r].
TUWEN_INLINE void transpose_16x16(F32x16, float* out, const float* in, int64_t stride, int rows, First columns) {
  __m512 r[16], t[16];
  const __mmask16 m = F32x16::mask_of(columns);
  for (int i = 0; i < 16; ++i) r[i] = i < rows ? _mm512_maskz_loadu_ps(m, in + i * stride) : _mm512_setzero_ps();
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
  for (int i = 0; i < 16; i += 8) {
    for (int j = 0; j < 4; ++j) {
      t[i + j] = _mm512_shuffle_f32x4(r[i + j], r[i + 4 + j], 0x88);
      t[i + 4 + j] = _mm512_shuffle_f32x4(r[i + j], r[i + 4 + j], 0xDD);
    }
  }
  for (int j = 0; j < 8; ++j) {
    r[j] = _mm512_shuffle_f32x4(t[j], t[8 + j], 0x88);
    r[8 + j] = _mm512_shuffle_f32x4(t[j], t[8 + j], 0xDD);
  }
  // After the shuffles r[j] holds column: j in 0..3 -> j, 4..7 -> 4 + (j - 4), and r[8 + j] the columns eight further.
  for (int j = 0; j < columns.count; ++j) _mm512_storeu_ps(out + j * 16, r[j]);
}

}  // namespace
}  // namespace tw
