// The input of eight-bit products, in the team's own memory (Exec::quantized): for ops*.cpp alone.
#pragma once

#include "kernels/ops.h"

namespace tw {

// Rows [first, first + count) of x, as a product with `w` reads them.
inline void quantize_rows(const Exec& ex, Tensor x, const Int8View& w, int64_t first, int64_t count) {
  const int64_t stride = quantized_stride(x.columns);
  ex.kernels->quantize({.x = x.row(first),
                        .x_stride = x.stride,
                        .multiplier = w.multiplier,
                        .y = ex.quantized + first * stride,
                        .y_stride = stride,
                        .x_scale = ex.quantized_scale + first,
                        .x_zero = ex.quantized_zero + first,
                        .rows = count,
                        .columns = x.columns,
                        .y_columns = w.k_padded,
                        .x_is_bf16 = x.dtype == DType::bf16});
}

// What is there when all rows of x are, and operation `used_by` was the last to touch it.
inline Exec::Quantized quantized_for(Tensor x, const Int8View& w, uint32_t used_by) {
  return {x.row(0), x.rows, x.columns, x.stride, w.multiplier, used_by};
}

}  // namespace tw
