#include <immintrin.h>

#include "bench/peak.h"
#include "bench/peak_read-inl.h"

namespace tw::bench {

void peak_avx512_fma(int64_t iterations, float* sink) {
  __m512 sum[kPeakChains];
  for (__m512& s : sum) s = _mm512_set1_ps(*sink);
  const __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(1e-6f);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 24
    for (__m512& s : sum) s = _mm512_fmadd_ps(s, factor, term);
  __m512 total = sum[0];
  for (const __m512& s : sum) total = _mm512_add_ps(total, s);
  *sink = _mm512_cvtss_f32(total);
}

// The instructions are written out: with g++ 12 the intrinsics of dot products copy their accumulator each time. Each
// works on a copy, else every turn writes all accumulators to memory, which takes longer than two dot products a cycle.
void peak_avx512_bf16(int64_t iterations, float* sink) {
  __m512 sum[kPeakChains];
  for (__m512& s : sum) s = _mm512_set1_ps(*sink);
  const __m512i a = _mm512_set1_epi16(0x3C00), b = _mm512_set1_epi16(0x3C01);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 24
    for (__m512& s : sum) {
      __m512 next = s;
      __asm__("vdpbf16ps %2, %1, %0" : "+v"(next) : "v"(a), "v"(b));
      s = next;
    }
  __m512 total = sum[0];
  for (const __m512& s : sum) total = _mm512_add_ps(total, s);
  *sink = _mm512_cvtss_f32(total);
}

void peak_avx512_int8(int64_t iterations, float* sink) {
  __m512i sum[kPeakChains];
  for (__m512i& s : sum) s = _mm512_setzero_si512();
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(1);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 24
    for (__m512i& s : sum) {
      __m512i next = s;
      __asm__("vpdpbusd %2, %1, %0" : "+v"(next) : "v"(a), "v"(b));
      s = next;
    }
  __m512i total = sum[0];
  for (const __m512i& s : sum) total = _mm512_add_epi32(total, s);
  *sink += static_cast<float>(_mm512_cvtsi512_si32(total) & 1);
}

uint64_t peak_avx512_read(const uint64_t* words, int64_t count, int64_t passes) {
  return read_words<64>(words, count, passes);
}

}  // namespace tw::bench
