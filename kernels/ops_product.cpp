// Matrix products: linear() of ops.h, in three types.
#include <algorithm>
#include <cstring>

#include "core/checked_math.h"
#include "kernels/ops.h"
#include "kernels/ops_device.h"
#include "kernels/ops_quantize.h"
#include "kernels/ops_slices.h"
#include "kernels/ops_strassen.h"

namespace tw {
namespace {

OpCost cost_of_product(Tensor y, LinearView w, double read, bool add_to_output) {
  const int64_t depth = w.type == DType::i8 ? w.int8.k_padded : w.type == DType::bf16 ? bf16_depth(w.k) : w.k;
  return {.type = w.type,
          .rows = y.rows,
          .columns = w.n,
          .k = w.k,
          .flops = 2.0 * static_cast<double>(y.rows * w.n * w.k),
          .weight_bytes = static_cast<double>(w.n * depth * size_of(w.type)),
          .activation_bytes = read + (add_to_output ? 2 : 1) * bytes(y)};
}

// Rows that a panel of weights is multiplied with in one go: their activations stay in L2.
constexpr int64_t kRowsPerBlock = 512;

// A member that has rows of its own to multiply all weights with has at least so many, or it would wait for weights.
constexpr int64_t kRowsOfMember = 48;

// The pieces that members share a product in: blocks of rows times panels of columns, all panels of a block before the
// next block. With enough rows each member has blocks of its own, which it reads from its own cache: it wrote them. In
// teams too large for that several share a block. Else there is more than one block only where panels are so few that
// members had too little to share.
struct Pieces {
  int64_t panels, blocks;

  Pieces(const Exec& ex, int64_t rows, int64_t n) : panels(ceil_div(n, kPanel)) {
    const int64_t members = ex.member.count, wanted = members == 1 ? 1 : ceil_div(4 * members, panels);
    int64_t apart = std::clamp<int64_t>(rows / kRowsOfMember, 1, members);
    while (members % apart != 0) --apart;
    blocks = std::max(std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, rows / 24)), ceil_div(rows, kRowsPerBlock));
    blocks = round_up(blocks, apart);
  }
};

// Calls body(first column, columns, first row, end row, first column of what this member will likely do next or -1).
template <class Body>
void for_each_piece(Exec& ex, int64_t rows, int64_t n, Body body) {
  const Pieces pieces(ex, rows, n);
  const int64_t count = pieces.panels * pieces.blocks;
  ex.for_each_unit(count, [&](int64_t unit) {
    const int64_t n0 = unit % pieces.panels * kPanel, block = unit / pieces.panels;
    const int64_t next = WorkFront::after(unit, count, ex.member) % pieces.panels * kPanel;
    body(n0, std::min(kPanel, n - n0), rows * block / pieces.blocks, rows * (block + 1) / pieces.blocks,
         next != n0 ? next : -1);
  });
}

void product_f32(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
  const auto* strips = static_cast<const float*>(w.strips);
  ex.begin("linear", [&] { return cost_of_product(y, w, bytes(x), add_to_output); });
  for_each_piece(ex, x.rows, w.n, [&](int64_t n0, int64_t columns, int64_t m0, int64_t m1, int64_t next) {
    ex.kernels->linear({.x = x.f32_row(m0),
                        .x_stride = x.stride,
                        .weights = strips + n0 * w.k,
                        .bias = w.bias == nullptr ? nullptr : w.bias + n0,
                        .y = y.f32_row(m0) + n0,
                        .y_stride = y.stride,
                        .rows = m1 - m0,
                        .columns = columns,
                        .k = w.k,
                        .activation = activation,
                        .add_to_output = add_to_output,
                        .next = next < 0 ? nullptr : strips + next * w.k});
  });
}

// Zeros between a row's end and the depth that bf16 products read; nothing to do for the widths of published models.
void clear_behind(Exec& ex, Tensor x, int64_t depth) {
  if (x.columns == depth) return;
  ex.begin("clear_behind", [&] { return cost_of_rows(x, 0, 0, 0, 0); });
  for_each_row_block(ex, x.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    for (int64_t r = first; r < first + count; ++r)
      std::memset(x.bf16_row(r) + x.columns, 0, static_cast<size_t>((depth - x.columns) * size_of(DType::bf16)));
  });
}

void* output(Tensor y, int64_t row, int64_t column) { return y.column_range(column, 0).row(row); }

// x as an FP8 product sees it, in the team's own memory.
Tensor rounded_to_e4m3(Exec& ex, Tensor x, float factor) {
  Tensor rounded = x;
  rounded.data = ex.quantized;
  rounded.stride = activation_stride(x.columns, DType::bf16);
  ex.begin("round_e4m3", [&] { return cost_of_rows(x, 2, 0, bytes(x), bytes(rounded)); });
  for_each_row_block(ex, x.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    ex.kernels->round_e4m3({.x = x.bf16_row(first),
                            .x_stride = x.stride,
                            .y = rounded.bf16_row(first),
                            .y_stride = rounded.stride,
                            .rows = count,
                            .columns = x.columns,
                            .y_columns = x.columns,
                            .factor = factor});
  });
  return rounded;
}

void product_bf16(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
  if (w.owner->fp8.input != 0) x = rounded_to_e4m3(ex, x, w.owner->fp8.input);
  const auto* strips = static_cast<const uint16_t*>(w.strips);
  const int64_t depth = bf16_depth(w.k);
  clear_behind(ex, x, depth);
  ex.begin("linear", [&] { return cost_of_product(y, w, bytes(x), add_to_output); });
  for_each_piece(ex, x.rows, w.n, [&](int64_t n0, int64_t columns, int64_t m0, int64_t m1, int64_t next) {
    ex.kernels->linear_bf16({.x = x.bf16_row(m0),
                             .x_stride = x.stride,
                             .weights = strips + n0 * depth,
                             .bias = w.bias == nullptr ? nullptr : w.bias + n0,
                             .y = output(y, m0, n0),
                             .y_stride = y.stride,
                             .rows = m1 - m0,
                             .columns = columns,
                             .k = depth,
                             .activation = activation,
                             .add_to_output = add_to_output,
                             .y_is_bf16 = y.dtype == DType::bf16,
                             .next = next < 0 ? nullptr : strips + next * depth});
  });
}

void product_int8(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
  const Int8View& q = w.int8;
  const int64_t stride = quantized_stride(w.k);
  const double quantized = static_cast<double>(x.rows * q.k_padded);
  if (ex.in_quantized != quantized_for(x, q, ex.sequence - 1)) {
    ex.begin("quantize", [&] { return cost_of_rows(x, 2, 0, bytes(x), quantized); });
    for_each_row_block(ex, x.rows, kRowsPerUnit,
                       [&](int64_t first, int64_t count) { quantize_rows(ex, x, q, first, count); });
  }
  ex.in_quantized = quantized_for(x, q, ex.sequence);
  ex.begin("linear", [&] { return cost_of_product(y, w, quantized, add_to_output); });
  for_each_piece(ex, x.rows, w.n, [&](int64_t n0, int64_t columns, int64_t m0, int64_t m1, int64_t next) {
    ex.kernels->linear_int8({.x = ex.quantized + m0 * stride,
                             .x_stride = stride,
                             .x_scale = ex.quantized_scale + m0,
                             .x_zero = ex.quantized_zero + m0,
                             .weights = q.strips + n0 * q.k_padded,
                             .w_scale = q.scale + n0,
                             .w_sum = q.sum + n0,
                             .bias = w.bias == nullptr ? nullptr : w.bias + n0,
                             .y = output(y, m0, n0),
                             .y_stride = y.stride,
                             .rows = m1 - m0,
                             .columns = columns,
                             .k = q.k_padded,
                             .activation = activation,
                             .add_to_output = add_to_output,
                             .y_is_bf16 = y.dtype == DType::bf16,
                             .next = next < 0 ? nullptr : q.strips + next * q.k_padded});
  });
}

void product(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
  if (ex.device != nullptr) return on_device::product(ex, y, x, w, activation, add_to_output);
  if (ex.observer != nullptr) {
    constexpr int64_t kParts = 16;
    ex.begin("observe", [&] { return cost_of_rows(x, 2, 0, bytes(x), 0); });
    ex.for_each_unit(kParts, [&](int64_t part) { ex.observer->see(ex.observer->self, *w.owner, x, part, kParts); });
  }
  const auto run = w.owner->strassen.bytes() > 0 ? product_strassen
                   : w.type == DType::i8         ? product_int8
                   : w.type == DType::bf16       ? product_bf16
                                                 : product_f32;
  run(ex, y, x, w, activation, add_to_output);
}

}  // namespace

void linear(Exec& ex, Tensor y, Tensor x, LinearView w, Epilogue epilogue) {
  product(ex, y, x, w, Activation::linear, epilogue == Epilogue::add_to_output);
}

void linear(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation) {
  product(ex, y, x, w, activation, false);
}

}  // namespace tw
