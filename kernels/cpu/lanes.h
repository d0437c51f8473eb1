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

// body(i, lanes) for each vector of a row of n floats.
template <class V, class Body>
TUWEN_INLINE void for_each_vector(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) body(i, All{});
  if (i < n) body(i, First{static_cast<int>(n - i)});
}

}  // namespace
}  // namespace tw
