// How operations share their rows between members, and what they tell the profile: for ops*.cpp alone.
#pragma once

#include <algorithm>

#include "core/checked_math.h"
#include "kernels/ops.h"

namespace tw {

// Rows that one claim of a row-wise operation covers: enough to make the claim itself cheap.
constexpr int64_t kRowsPerUnit = 8;

template <class Rows>
void for_each_row_block(Exec& ex, int64_t rows, int64_t rows_per_unit, Rows body) {
  ex.for_each_unit(ceil_div(rows, rows_per_unit), [&](int64_t unit) {
    const int64_t first = unit * rows_per_unit;
    body(first, std::min(rows_per_unit, rows - first));
  });
}

// What the profile is told of an operation.

inline double bytes(Tensor t) { return static_cast<double>(t.rows * t.columns * size_of(t.dtype)); }

// One that takes each row by itself: reads `tables` bytes of parameters and `read`, writes `written`.
inline OpCost cost_of_rows(Tensor y, double flops_per_value, double tables, double read, double written) {
  return {.rows = y.rows,
          .columns = y.columns,
          .flops = flops_per_value * static_cast<double>(y.rows * y.columns),
          .weight_bytes = tables,
          .activation_bytes = read + written};
}

}  // namespace tw
