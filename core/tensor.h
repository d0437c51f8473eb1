// A matrix somewhere in memory: a value that owns nothing.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace tw {

// Row-major [rows, columns]; consecutive rows are `stride` elements apart. Higher-rank activations are matrices whose
// rows are tokens: [B, T, D] is [B*T, D], and the head dimension is a range of columns.
// Copying copies the view. Two threads may use views of the same memory as they may use the memory.
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t stride = 0;
  float factor = 1.0f;  // e4m3: what is stored is this times the numbers, a power of two

  float* f32() const { return static_cast<float*>(data); }
  float* f32_row(int64_t row) const { return f32() + row * stride; }
  uint16_t* bf16_row(int64_t row) const { return static_cast<uint16_t*>(data) + row * stride; }
  void* row(int64_t row) const { return static_cast<char*>(data) + row * stride * size_of(dtype); }

  // `count` rows from `first`.
  Tensor row_range(int64_t first, int64_t count) const { return at(first, 0, count, columns); }
  // `count` columns from `first`.
  Tensor column_range(int64_t first, int64_t count) const { return at(0, first, rows, count); }
  // Every `step`-th row: a view of [rows / step, columns]. Picks the class tokens out of a batch of images.
  Tensor every(int64_t step) const {
    Tensor view = *this;
    view.rows = rows / step;
    view.stride = stride * step;
    return view;
  }

 private:
  Tensor at(int64_t row, int64_t column, int64_t row_count, int64_t column_count) const {
    Tensor view = *this;
    view.data = static_cast<char*>(data) + (row * stride + column) * size_of(dtype);
    view.rows = row_count;
    view.columns = column_count;
    return view;
  }
};

// A dense f32 matrix at `data`.
inline Tensor matrix(float* data, int64_t rows, int64_t columns) { return {data, DType::f32, rows, columns, columns}; }

}  // namespace tw
