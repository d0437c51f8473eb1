#include <immintrin.h>

#include "bench/peak.h"
#include "bench/peak_read-inl.h"

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
  return read_words<32>(words, count, passes);
}

}  // namespace tw::bench
