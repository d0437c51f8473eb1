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

// body(i, lanes) for each vector of a row of n floats.
template <class V, class Body>
TUWEN_INLINE void for_each_vector(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) body(i, All{});
  if (i < n) body(i, First{static_cast<int>(n - i)});
}

// The same for sums: body(i, lanes, part) with part alternately 0 and 1, so that two accumulators share the additions
// and one need not wait for the other.
template <class V, class Body>
TUWEN_INLINE void for_each_vector_in_turn(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + 2 * V::kLanes <= n; i += 2 * V::kLanes) {
    body(i, All{}, 0);
    body(i + V::kLanes, All{}, 1);
  }
  if (i + V::kLanes <= n) {
    body(i, All{}, 0);
    i += V::kLanes;
  }
  if (i < n) body(i, First{static_cast<int>(n - i)}, 1);
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
