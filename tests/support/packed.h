// Weights packed for the product kernels.
#pragma once

#include <span>

#include "kernels/pack.h"

namespace tw::test {

// `weights` dense [n, k].
inline PackedMatrix packed_weights(std::span<const float> weights, int64_t n, int64_t k, DType type) {
  PackedMatrix packed(n, k, type, "weights");
  packed.set_rows(0, n, weights.data());
  return packed;
}

}  // namespace tw::test
