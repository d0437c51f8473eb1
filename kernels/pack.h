// Weights packed for the matrix kernels. Opaque to models: made here, read by kernels.
#pragma once

#include <cstdint>

#include "core/buffer.h"
#include "core/dtype.h"
#include "kernels/kernel_table.h"
#include "kernels/weight_tiles.h"

namespace tw {

// A weight matrix [n, k] ("out, in", as in checkpoints) in strips of kStrip columns of the product, f32, bf16, f16 or
// e4m3; or, for a device, in tiles or plain rows. Immutable once filled.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // Room for [n, k] in `type`, f32, bf16 or f16; throws out_of_memory naming `purpose`.
  PackedMatrix(int64_t n, int64_t k, DType type, const char* purpose);

  // Rows [first, first + count) of the weight matrix, dense [count, k]; rounded to the type.
  void set_rows(int64_t first, int64_t count, const float* rows);

  // Address of the strip that begins with column `n0`, a multiple of kStrip, of the tile that has it or of the row that
  // it is; null if there is none.
  const void* strip_at(int64_t n0) const {
    return memory_.size() == 0 ? nullptr : memory_.as<char>() + (n0 - skipped_at(n0)) * depth_ * size_of(type_);
  }
  // Columns of that tile in front of `n0`; 0 for strips and rows.
  int64_t skipped_at(int64_t n0) const { return in_tiles_ ? n0 % kTileColumns : 0; }
  const float* f32_strip_at(int64_t n0) const { return static_cast<const float*>(strip_at(n0)); }
  // The same matrix in bf16. This one is f32. Throws out_of_memory.
  PackedMatrix rounded() const;
  // And with every weight on the grid of E4M3, whose numbers are the weights times the factor of their row: powers of
  // two, [n] in whole strips.
  PackedMatrix rounded_to_e4m3(const float* factors) const;
  // The E4M3 numbers themselves, [k / 4][kStrip][4]. This one came from rounded_to_e4m3() with the same factors.
  PackedMatrix as_e4m3(const float* factors) const;
  // The same numbers in tiles (kernels/weight_tiles.h). This one is in strips of bf16, f16 or e4m3.
  PackedMatrix as_tiles() const;
  // The same numbers row by row, zeros behind each up to a whole line of kDepthBytes. This one is in strips of bf16 or
  // f16.
  PackedMatrix as_rows() const;
  // The same matrix with its strips, tiles or rows elsewhere: in memory that a copy of them is in, or on its way to.
  PackedMatrix moved_to(Buffer memory) const;
  const Buffer& memory() const { return memory_; }
  // Gives the memory back; n(), k() and type() stay.
  void release() { memory_ = Buffer(); }
  DType type() const { return type_; }
  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  int64_t bytes() const { return memory_.size(); }
  static int64_t bytes_for(int64_t n, int64_t k, DType type);

 private:
  template <class Round>
  PackedMatrix rounded_by(Round round) const;

  Buffer memory_;
  DType type_ = DType::f32;
  int64_t n_ = 0, k_ = 0, depth_ = 0;  // depth: k as the strips, tiles or rows have it
  bool in_tiles_ = false;
};

}  // namespace tw
