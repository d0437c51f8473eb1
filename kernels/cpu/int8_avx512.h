// Eight-bit multiply-adds on 512-bit vectors.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/simd_avx512.h"

namespace tw {
namespace {

// With VNNI: one instruction takes four products into each 32-bit sum.
struct VnniProduct512 {
  static constexpr int kLanes = 16;
  using Float = F32x16;
  struct Line {
    __m512i v;
  };
  using Element = Line;
  using Sum = Line;
  static TUWEN_INLINE Sum zero() { return {_mm512_setzero_si512()}; }
  static TUWEN_INLINE Line line(const char* p) { return {_mm512_loadu_si512(p)}; }
  static TUWEN_INLINE Element element(const char* p) {
    int32_t group;
    __builtin_memcpy(&group, p, sizeof group);
    return {_mm512_set1_epi32(group)};
  }
  // Written out: g++ 12 copies the accumulator around the intrinsic, at half the speed (GCC bug 94663).
  static TUWEN_INLINE Sum multiply_add(Element e, Line l, Sum s) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(s.v) : "v"(e.v), "v"(l.v));
    return s;
  }
  static TUWEN_INLINE Float to_float(Sum s, int32_t x_zero, const int32_t* w_sum) {
    const __m512i shift = _mm512_mullo_epi32(_mm512_set1_epi32(x_zero), _mm512_loadu_si512(w_sum));
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(s.v, shift));
  }
};

// Without: products of 16-bit halves. vpmaddubsw would be shorter, and saturates.
struct MaddProduct512 : VnniProduct512 {
  struct Halves {
    __m512i even, odd;
  };
  using Line = Halves;
  using Element = Halves;
  static TUWEN_INLINE Line line(const char* p) {
    const __m512i bytes = _mm512_loadu_si512(p);
    return {_mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8), _mm512_srai_epi16(bytes, 8)};
  }
  static TUWEN_INLINE Element element(const char* p) {
    const __m512i bytes = VnniProduct512::element(p).v;
    return {_mm512_and_si512(bytes, _mm512_set1_epi16(0xFF)), _mm512_srli_epi16(bytes, 8)};
  }
  static TUWEN_INLINE Sum multiply_add(Element e, Line l, Sum s) {
    const __m512i products = _mm512_add_epi32(_mm512_madd_epi16(e.even, l.even), _mm512_madd_epi16(e.odd, l.odd));
    return {_mm512_add_epi32(s.v, products)};
  }
};

// round(scaled) + zero, held to 0 ... 255.
TUWEN_INLINE __m128i u8_of(F32x16 scaled, int32_t zero) {
  const __m512i shifted = _mm512_add_epi32(_mm512_cvtps_epi32(scaled.v), _mm512_set1_epi32(zero));
  return _mm512_cvtusepi32_epi8(_mm512_max_epi32(shifted, _mm512_setzero_si512()));
}
TUWEN_INLINE void store_u8(uint8_t* p, F32x16 scaled, int32_t zero, All = {}) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), u8_of(scaled, zero));
}
TUWEN_INLINE void store_u8(uint8_t* p, F32x16 scaled, int32_t zero, First f) {
  _mm_mask_storeu_epi8(p, F32x16::mask_of(f), u8_of(scaled, zero));
}

}  // namespace
}  // namespace tw
