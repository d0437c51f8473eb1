#include <immintrin.h>

#include <cstdint>

namespace tw {
namespace {

// 64 bytes, or 32 or 16 lanes of integers. Operations keep to their 128-bit quarters.
struct Lanes512 {
  static constexpr int kRows = 16;
  __m512i v;

  static Lanes512 zero() { return {_mm512_setzero_si512()}; }
  static Lanes512 broadcast32(int32_t x) { return {_mm512_set1_epi32(x)}; }
  static Lanes512 load(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
  void store(uint8_t* p) const { _mm512_storeu_si512(p, v); }
  static Lanes512 load128(const uint8_t* const (&p)[4]) {
    __m512i out = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p[0])));
    out = _mm512_inserti32x4(out, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[1])), 1);
    out = _mm512_inserti32x4(out, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[2])), 2);
    return {_mm512_inserti32x4(out, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[3])), 3)};
  }

  static Lanes512 bit_and(Lanes512 a, Lanes512 b) { return {_mm512_and_si512(a.v, b.v)}; }
  static Lanes512 add16(Lanes512 a, Lanes512 b) { return {_mm512_add_epi16(a.v, b.v)}; }
  static Lanes512 add32(Lanes512 a, Lanes512 b) { return {_mm512_add_epi32(a.v, b.v)}; }
  template <int n>
  static Lanes512 shift_right16(Lanes512 a) {
    return {_mm512_srli_epi16(a.v, n)};
  }
  template <int n>
  static Lanes512 shift_left32(Lanes512 a) {
    return {_mm512_slli_epi32(a.v, n)};
  }
  template <int n>
  static Lanes512 shift_right32(Lanes512 a) {
    return {_mm512_srai_epi32(a.v, n)};
  }
  static Lanes512 multiply_add_i16(Lanes512 a, Lanes512 b) { return {_mm512_madd_epi16(a.v, b.v)}; }
  static Lanes512 multiply_add_u8_i8(Lanes512 a, Lanes512 b) { return {_mm512_maddubs_epi16(a.v, b.v)}; }

  static Lanes512 unpack_low8(Lanes512 a, Lanes512 b) { return {_mm512_unpacklo_epi8(a.v, b.v)}; }
  static Lanes512 unpack_high8(Lanes512 a, Lanes512 b) { return {_mm512_unpackhi_epi8(a.v, b.v)}; }
  static Lanes512 unpack_low16(Lanes512 a, Lanes512 b) { return {_mm512_unpacklo_epi16(a.v, b.v)}; }
  static Lanes512 unpack_high16(Lanes512 a, Lanes512 b) { return {_mm512_unpackhi_epi16(a.v, b.v)}; }
  static Lanes512 unpack_low32(Lanes512 a, Lanes512 b) { return {_mm512_unpacklo_epi32(a.v, b.v)}; }
  static Lanes512 unpack_high32(Lanes512 a, Lanes512 b) { return {_mm512_unpackhi_epi32(a.v, b.v)}; }
  static Lanes512 unpack_low64(Lanes512 a, Lanes512 b) { return {_mm512_unpacklo_epi64(a.v, b.v)}; }
  static Lanes512 unpack_high64(Lanes512 a, Lanes512 b) { return {_mm512_unpackhi_epi64(a.v, b.v)}; }
  static Lanes512 pack_i32_i16(Lanes512 a, Lanes512 b) { return {_mm512_packs_epi32(a.v, b.v)}; }
  static Lanes512 pack_i16_u8(Lanes512 a, Lanes512 b) { return {_mm512_packus_epi16(a.v, b.v)}; }

  // R0 G0 B0 R1 G1 B1 .. -> R0 R1 R2 R3 G0 G1 .. B3 0 0 0 0
  static Lanes512 rgb_to_planes(Lanes512 a) {
    const __m128i order = _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1);
    return {_mm512_shuffle_epi8(a.v, _mm512_broadcast_i32x4(order))};
  }
  static Lanes512 transpose_bytes4(Lanes512 a) {
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return {_mm512_shuffle_epi8(a.v, _mm512_broadcast_i32x4(order))};
  }
};

}  // namespace
}  // namespace tw

#include "kernels/cpu/resize-inl.h"

namespace tw {

void resize_horizontal_u8_avx512(const ResizeHorizontalArgs& args) { resize_horizontal<Lanes512>(args); }
void resize_vertical_u8_avx512(const ResizeVerticalArgs& args) { resize_vertical<Lanes512>(args); }

}  // namespace tw
