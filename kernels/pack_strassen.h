// Weights for products by Strassen's algorithm, made from packed f32 ones.
#pragma once

#include <cstdint>

#include "core/buffer.h"
#include "kernels/pack.h"

namespace tw {

// Whether a product [n, k] with items of so many rows gains by it. A rule in the shapes alone, so that a model's bits
// are the same wherever it is loaded: halves in whole strips and lines, sizes at which seven products with the sums
// around them are faster than eight (docs/performance.md).
constexpr bool suits_strassen(int64_t item_rows, int64_t n, int64_t k) {
  constexpr int64_t kLeastRows = 128, kLeastSide = 1024;
  return item_rows >= kLeastRows && n >= kLeastSide && k >= kLeastSide && n % (2 * kStrip) == 0 && k % (2 * 16) == 0;
}

// The seven right factors of a weight matrix [n, k] (kernel_table.h, LinearStrassenArgs), each packed as one of [n / 2,
// k / 2]; sums in double, rounded once. Immutable.
class PackedStrassen {
 public:
  PackedStrassen() = default;
  // n a multiple of 2 kStrip, k of 2. Throws out_of_memory.
  explicit PackedStrassen(const PackedMatrix& weights);

  int64_t half_columns() const { return columns_; }
  int64_t depth() const { return depth_; }
  // The first factor's strip that begins with column `n0`, a multiple of kStrip; the others' are `apart` floats apart.
  const float* strip_at(int64_t n0) const { return memory_.as<float>() + n0 * depth_; }
  int64_t apart() const { return columns_ * depth_; }
  int64_t bytes() const { return memory_.size(); }
  static int64_t bytes_for(int64_t n, int64_t k) { return PackedMatrix::bytes_for(n, k, DType::f32) / 4 * 7; }

 private:
  Buffer memory_;
  int64_t columns_ = 0, depth_ = 0;  // halves of n and k
};

}  // namespace tw
