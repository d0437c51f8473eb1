// Multiply-adds of bf16 pairs on 512-bit vectors with AVX512_BF16.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/simd_avx512.h"

namespace tw {
namespace {

struct Bf16Product512 {
  static constexpr int kLanes = 16;
  using Float = F32x16;
  struct Line {
    __m512i v;
  };
  using Element = Line;
  using Sum = F32x16;
  static TUWEN_INLINE Sum zero() { return F32x16(0.0f); }
  static TUWEN_INLINE Line line(const char* p) { return {_mm512_loadu_si512(p)}; }
  static TUWEN_INLINE Element element(const char* p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return {_mm512_set1_epi32(pair)};
  }
  // Written out, so that the file needs no flag of its own.
  static TUWEN_INLINE Sum multiply_add(Element e, Line l, Sum s) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(s.v) : "v"(e.v), "v"(l.v));
    return s;
  }
};

}  // namespace
}  // namespace tw
