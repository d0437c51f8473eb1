// Eight-bit multiply-adds on 256-bit vectors.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/simd_avx2.h"

namespace tw {
namespace {

// Products of 16-bit halves, exact. vpmaddubsw would be shorter, and saturates.
struct MaddProduct256 {
  static constexpr int kLanes = 8;
  using Float = F32x8;
  struct Halves {
    __m256i even, odd;
  };
  struct Sum {
    __m256i v;
  };
  using Line = Halves;
  using Element = Halves;
  static TUWEN_INLINE Sum zero() { return {_mm256_setzero_si256()}; }
  static TUWEN_INLINE Line line(const char* p) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)};
  }
  static TUWEN_INLINE Element element(const char* p) {
    int32_t group;
    __builtin_memcpy(&group, p, sizeof group);
    const __m256i bytes = _mm256_set1_epi32(group);
    return {_mm256_and_si256(bytes, _mm256_set1_epi16(0xFF)), _mm256_srli_epi16(bytes, 8)};
  }
  static TUWEN_INLINE Sum multiply_add(Element e, Line l, Sum s) {
    const __m256i products = _mm256_add_epi32(_mm256_madd_epi16(e.even, l.even), _mm256_madd_epi16(e.odd, l.odd));
    return {_mm256_add_epi32(s.v, products)};
  }
  static TUWEN_INLINE Float to_float(Sum s, int32_t x_zero, const int32_t* w_sum) {
    const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w_sum));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(s.v, _mm256_mullo_epi32(_mm256_set1_epi32(x_zero), sums)));
  }
};

// With AVX-VNNI: one instruction takes four products into each 32-bit sum.
struct VnniProduct256 : MaddProduct256 {
  using Line = Sum;
  using Element = Sum;
  static TUWEN_INLINE Line line(const char* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
  static TUWEN_INLINE Element element(const char* p) {
    int32_t group;
    __builtin_memcpy(&group, p, sizeof group);
    return {_mm256_set1_epi32(group)};
  }
  static TUWEN_INLINE Sum multiply_add(Element e, Line l, Sum s) {
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(s.v) : "x"(e.v), "x"(l.v));
    return s;
  }
};

// round(scaled) + zero, held to 0 ... 255, in the low half of the result.
TUWEN_INLINE __m128i u8_of(F32x8 scaled, int32_t zero) {
  const __m256i shifted = _mm256_add_epi32(_mm256_cvtps_epi32(scaled.v), _mm256_set1_epi32(zero));
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(shifted), _mm256_extracti128_si256(shifted, 1));
  return _mm_packus_epi16(words, words);
}
TUWEN_INLINE void store_u8(uint8_t* p, F32x8 scaled, int32_t zero, All = {}) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), u8_of(scaled, zero));
}
TUWEN_INLINE void store_u8(uint8_t* p, F32x8 scaled, int32_t zero, First f) {
  uint8_t bytes[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), u8_of(scaled, zero));
  for (int i = 0; i < f.count; ++i) p[i] = bytes[i];
}

}  // namespace
}  // namespace tw
