// How many lanes of a vector take part: all of them, or the first few of a tail. Row-wise kernels are written once, as
// a body that is called with All for the full vectors and with First for the rest.
#pragma once

#include <cstdint>

#define TUWEN_INLINE __attribute__((always_inline)) inline

namespace tw {
namespace {

struct All {};
struct First {
  int count;
};

// The two halves of a vector of bf16 pairs, widened.
template <class V>
struct Pairs {
  V even, odd;
};

// A power of two: of a whole number, and what is left between 0 and 1. Numbers beyond every power of an f32 are as good
// as infinite.
template <class V>
struct Power {
  V whole, rest;
};

// body(i, lanes) for each vector of a row of n floats.
template <class V, class Body>
TUWEN_INLINE void for_each_vector(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) body(i, All{});
  if (i < n) body(i, First{static_cast<int>(n - i)});
}

// The same for sums: body(i, lanes, part) with part 0 to Parts - 1 in turn, so that so many accumulators share the
// additions and none waits for the one before.
template <class V, int Parts, class Body>
TUWEN_INLINE void for_each_vector_in_turn(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + Parts * V::kLanes <= n; i += Parts * V::kLanes)
#pragma GCC unroll 4
    for (int part = 0; part < Parts; ++part) body(i + part * V::kLanes, All{}, part);
#pragma GCC unroll 4
  for (int part = 0; part < Parts; ++part, i += V::kLanes) {
    if (i >= n) return;
    if (i + V::kLanes <= n) {
      body(i, All{}, part);
    } else {
      body(i, First{static_cast<int>(n - i)}, part);
    }
  }
}

template <int N>
struct Count {
  static constexpr int value = N;
};
// body(Count<n>) for n from Least to Most.
template <int Least, int Most, class Body>
TUWEN_INLINE void with_count(int64_t n, Body body) {
  if constexpr (Least < Most) {
    if (n != Least) return with_count<Least + 1, Most>(n, body);
  }
  body(Count<Least>{});
}

}  // namespace
}  // namespace tw
