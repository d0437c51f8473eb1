// Weights packed for the matrix kernels. Opaque to models: made here, read by kernels.
#pragma once

#include <cstdint>

#include "core/buffer.h"
#include "kernels/kernel_table.h"

namespace tw {

// A weight matrix [n, k] ("out, in", as in checkpoints) in strips of kStrip columns of the product. Immutable once
// filled.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // Room for [n, k]; throws out_of_memory naming `purpose`.
  PackedMatrix(int64_t n, int64_t k, const char* purpose);

  // Rows [first, first + count) of the weight matrix, dense [count, k].
  void set_rows(int64_t first, int64_t count, const float* rows);

  const float* strips() const { return memory_.as<float>(); }
  // Address of the strip that begins with column `n0`, a multiple of kStrip.
  const float* strip_at(int64_t n0) const { return strips() + n0 * k_; }
  // Gives the memory back; n() and k() stay.
  void release() { memory_ = Buffer(); }
  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  int64_t bytes() const { return memory_.size(); }
  static int64_t bytes_for(int64_t n, int64_t k);

 private:
  Buffer memory_;
  int64_t n_ = 0, k_ = 0;
};

}  // namespace tw
