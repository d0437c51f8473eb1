#include <immintrin.h>

#include "bench/peak.h"

namespace tw::bench {

void peak_avx2_fma(int64_t iterations, float* sink) {
  __m256 sum[12];
  for (__m256& s : sum) s = _mm256_set1_ps(*sink);
  const __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(1e-6f);
  for (int64_t i = 0; i < iterations * kPeakChains / 12; ++i)
#pragma GCC unroll 12
    for (__m256& s : sum) s = _mm256_fmadd_ps(s, factor, term);
  __m256 total = sum[0];
  for (const __m256& s : sum) total = _mm256_add_ps(total, s);
  *sink = _mm256_cvtss_f32(total);
}

uint64_t peak_avx2_read(const uint64_t* words, int64_t count, int64_t passes) {
  __m256i sum[8];
  for (__m256i& s : sum) s = _mm256_setzero_si256();
  for (int64_t pass = 0; pass < passes; ++pass) {
    for (int64_t i = 0; i < count; i += 32)
#pragma GCC unroll 8
      for (int64_t j = 0; j < 8; ++j)
        sum[j] = _mm256_add_epi64(sum[j], _mm256_load_si256(reinterpret_cast<const __m256i*>(words + i + 4 * j)));
    __asm__ volatile("" ::: "memory");
  }
  __m256i total = sum[0];
  for (int j = 1; j < 8; ++j) total = _mm256_add_epi64(total, sum[j]);
  alignas(32) uint64_t parts[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(parts), total);
  return parts[0] + parts[1] + parts[2] + parts[3];
}

}  // namespace tw::bench
