#include <immintrin.h>

#include <cstdint>

namespace tw {
namespace {

// 32 bytes, or 16 or 8 lanes of integers. Operations keep to their 128-bit halves.
struct Lanes256 {
  static constexpr int kRows = 8;
  __m256i v;

  static Lanes256 zero() { return {_mm256_setzero_si256()}; }
  static Lanes256 broadcast32(int32_t x) { return {_mm256_set1_epi32(x)}; }
  static Lanes256 load(const uint8_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
  void store(uint8_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  static Lanes256 load128(const uint8_t* const (&p)[2]) {
    const __m256i first = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p[0])));
    return {_mm256_inserti128_si256(first, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[1])), 1)};
  }

  static Lanes256 bit_and(Lanes256 a, Lanes256 b) { return {_mm256_and_si256(a.v, b.v)}; }
  static Lanes256 add16(Lanes256 a, Lanes256 b) { return {_mm256_add_epi16(a.v, b.v)}; }
  static Lanes256 add32(Lanes256 a, Lanes256 b) { return {_mm256_add_epi32(a.v, b.v)}; }
  template <int n>
  static Lanes256 shift_right16(Lanes256 a) {
    return {_mm256_srli_epi16(a.v, n)};
  }
  template <int n>
  static Lanes256 shift_left32(Lanes256 a) {
    return {_mm256_slli_epi32(a.v, n)};
  }
  template <int n>
  static Lanes256 shift_right32(Lanes256 a) {
    return {_mm256_srai_epi32(a.v, n)};
  }
  static Lanes256 multiply_add_i16(Lanes256 a, Lanes256 b) { return {_mm256_madd_epi16(a.v, b.v)}; }
  static Lanes256 multiply_add_u8_i8(Lanes256 a, Lanes256 b) { return {_mm256_maddubs_epi16(a.v, b.v)}; }

  static Lanes256 unpack_low8(Lanes256 a, Lanes256 b) { return {_mm256_unpacklo_epi8(a.v, b.v)}; }
  static Lanes256 unpack_high8(Lanes256 a, Lanes256 b) { return {_mm256_unpackhi_epi8(a.v, b.v)}; }
  static Lanes256 unpack_low16(Lanes256 a, Lanes256 b) { return {_mm256_unpacklo_epi16(a.v, b.v)}; }
  static Lanes256 unpack_high16(Lanes256 a, Lanes256 b) { return {_mm256_unpackhi_epi16(a.v, b.v)}; }
  static Lanes256 unpack_low32(Lanes256 a, Lanes256 b) { return {_mm256_unpacklo_epi32(a.v, b.v)}; }
  static Lanes256 unpack_high32(Lanes256 a, Lanes256 b) { return {_mm256_unpackhi_epi32(a.v, b.v)}; }
  static Lanes256 unpack_low64(Lanes256 a, Lanes256 b) { return {_mm256_unpacklo_epi64(a.v, b.v)}; }
  static Lanes256 unpack_high64(Lanes256 a, Lanes256 b) { return {_mm256_unpackhi_epi64(a.v, b.v)}; }
  static Lanes256 pack_i32_i16(Lanes256 a, Lanes256 b) { return {_mm256_packs_epi32(a.v, b.v)}; }
  static Lanes256 pack_i16_u8(Lanes256 a, Lanes256 b) { return {_mm256_packus_epi16(a.v, b.v)}; }

  // R0 G0 B0 R1 G1 B1 .. -> R0 R1 R2 R3 G0 G1 .. B3 0 0 0 0
  static Lanes256 rgb_to_planes(Lanes256 a) {
    const __m128i order = _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1);
    return {_mm256_shuffle_epi8(a.v, _mm256_broadcastsi128_si256(order))};
  }
  static Lanes256 transpose_bytes4(Lanes256 a) {
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return {_mm256_shuffle_epi8(a.v, _mm256_broadcastsi128_si256(order))};
  }
};

}  // namespace
}  // namespace tw

#include "kernels/cpu/resize-inl.h"

namespace tw {

void resize_horizontal_u8_avx2(const ResizeHorizontalArgs& args) { resize_horizontal<Lanes256>(args); }
void resize_vertical_u8_avx2(const ResizeVerticalArgs& args) { resize_vertical<Lanes256>(args); }

}  // namespace tw
