// The reading loop of the bandwidth test, compiled once for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tw::bench {
namespace {

// The sum, modulo 2^64, of `count` words (a multiple of 64) read `passes` times in vectors of `Bytes`.
template <int Bytes>
uint64_t read_words(const uint64_t* words, int64_t count, int64_t passes) {
  typedef uint64_t Vector __attribute__((vector_size(Bytes)));
  constexpr int64_t kLanes = Bytes / 8, kChains = 8;
  Vector sum[kChains] = {};
  for (int64_t pass = 0; pass < passes; ++pass) {
    for (int64_t i = 0; i < count; i += kChains * kLanes)
#pragma GCC unroll 8
      for (int64_t j = 0; j < kChains; ++j) {
        Vector part;
        __builtin_memcpy(&part, words + i + j * kLanes, Bytes);
        sum[j] += part;
      }
    __asm__ volatile("" ::: "memory");
  }
  uint64_t parts[static_cast<size_t>(kChains * kLanes)], total = 0;
  __builtin_memcpy(parts, sum, sizeof parts);
  for (const uint64_t part : parts) total += part;
  return total;
}

}  // namespace
}  // namespace tw::bench
