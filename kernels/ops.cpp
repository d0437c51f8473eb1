#include "kernels/ops.h"

#include <algorithm>
#include <cstring>

#include "core/checked_math.h"
#include "kernels/ops_device.h"
#include "kernels/ops_quantize.h"
#include "kernels/ops_slices.h"

namespace tw {

void layer_norm(Exec& ex, Tensor y, Tensor x, const LayerNorm& w) { layer_norm(ex, y, y, x, w, nullptr); }

void layer_norm(Exec& ex, Tensor y, Tensor copy, Tensor x, const LayerNorm& w, const Linear* next) {
  if (ex.device != nullptr) return on_device::layer_norm(ex, y, copy, x, w);
  const bool f32 = y.dtype == DType::f32, bf16 = copy.dtype == DType::bf16;
  const bool quantizes = next != nullptr && next->int8.bytes() != 0;
  const Int8View eight_bit = quantizes ? next->int8.view(0) : Int8View{};
  ex.begin(quantizes ? "layer_norm_quantize" : "layer_norm", [&] {
    const double as_bytes = quantizes ? static_cast<double>(copy.rows * eight_bit.k_padded) : 0;
    return cost_of_rows(x, quantizes ? 10 : 8, 0, bytes(x), (f32 ? bytes(y) : 0) + (bf16 ? bytes(copy) : 0) + as_bytes);
  });
  for_each_row_block(ex, x.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    ex.kernels->layer_norm({.x = x.f32_row(first),
                            .x_stride = x.stride,
                            .gamma = w.gamma.as<float>(),
                            .beta = w.beta.as<float>(),
                            .y = f32 ? y.f32_row(first) : nullptr,
                            .y_stride = y.stride,
                            .rows = count,
                            .columns = x.columns,
                            .epsilon = w.epsilon,
                            .y_bf16 = bf16 ? copy.bf16_row(first) : nullptr,
                            .y_bf16_stride = copy.stride});
    if (quantizes) quantize_rows(ex, copy, eight_bit, first, count);
  });
  if (quantizes) ex.in_quantized = quantized_for(copy, eight_bit, ex.sequence - 1);
}

void gather_rows(Exec& ex, Tensor y, Tensor x, std::span<const int64_t> rows) {
  if (ex.device != nullptr) return on_device::gather_rows(ex, y, x, rows.data());
  ex.begin("gather_rows", [&] { return cost_of_rows(y, 0, 0, bytes(y), bytes(y)); });
  for_each_row_block(ex, y.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    for (int64_t r = first; r < first + count; ++r)
      std::memcpy(y.row(r), x.row(rows[static_cast<size_t>(r)]), static_cast<size_t>(y.columns * size_of(y.dtype)));
  });
}

void copy_rows(Exec& ex, Tensor y, Tensor x) {
  if (ex.device != nullptr) return on_device::gather_rows(ex, y, x, nullptr);
  ex.begin("copy_rows", [&] { return cost_of_rows(y, 0, 0, bytes(x), bytes(y)); });
  for_each_row_block(ex, y.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    for (int64_t r = first; r < first + count; ++r) {
      if (y.dtype == x.dtype) {
        std::memcpy(y.row(r), x.row(r), static_cast<size_t>(y.columns * size_of(y.dtype)));
      } else {
        ex.kernels->f32_to_bf16({x.row(r), y.row(r), y.columns});
      }
    }
  });
}

void store_heads(Exec& ex, const HeadBlocks& b, Tensor x) {
  if (ex.device != nullptr) return on_device::store_heads(ex, b, x);
  const int64_t width = x.columns / b.heads;
  ex.begin("store_heads", [&] { return cost_of_rows(x, 0, 0, bytes(x), bytes(x)); });
  ex.for_each_unit(b.items * b.heads, [&](int64_t unit) {
    const int64_t item = unit / b.heads, head = unit % b.heads;
    float* to = b.to + unit * (b.past + b.length) * width;
    if (b.past > 0) std::memcpy(to, b.before + unit * b.past * width, static_cast<size_t>(b.past * width) * 4);
    for (int64_t t = 0; t < b.length; ++t)
      std::memcpy(to + (b.past + t) * width, x.f32_row(item * b.length + t) + head * width,
                  static_cast<size_t>(width) * 4);
  });
}

void l2_normalize(Exec& ex, Tensor y, Tensor x) {
  if (ex.device != nullptr) return on_device::l2_normalize(ex, y, x);
  ex.begin("l2_normalize", [&] { return cost_of_rows(x, 3, 0, bytes(x), bytes(y)); });
  for_each_row_block(ex, x.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    ex.kernels->l2_normalize({.x = x.f32_row(first),
                              .x_stride = x.stride,
                              .y = y.f32_row(first),
                              .y_stride = y.stride,
                              .rows = count,
                              .columns = x.columns,
                              .activation = Activation::linear});
  });
}

void embed(Exec& ex, Tensor y, const float* word, const float* type, const float* position, const int32_t* ids,
           const int32_t* type_ids, const int32_t* position_ids) {
  if (ex.device != nullptr) return on_device::embed(ex, y, word, type, position, ids, type_ids, position_ids);
  ex.begin("embed", [&] { return cost_of_rows(y, 2, 3 * bytes(y), 0, bytes(y)); });
  for_each_row_block(ex, y.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    ex.kernels->embed({.word = word,
                       .type = type,
                       .position = position,
                       .ids = ids + first,
                       .type_ids = type_ids + first,
                       .position_ids = position_ids + first,
                       .y = y.f32_row(first),
                       .y_stride = y.stride,
                       .rows = count,
                       .columns = y.columns});
  });
}

void add_periodic(Exec& ex, Tensor y, const float* table, int64_t period) {
  if (ex.device != nullptr) return on_device::add_periodic(ex, y, table, period);
  ex.begin("add_periodic", [&] { return cost_of_rows(y, 1, bytes(y.row_range(0, period)), bytes(y), bytes(y)); });
  for_each_row_block(ex, y.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    ex.kernels->add_periodic({.table = table,
                              .period = period,
                              .first = first,
                              .y = y.f32_row(first),
                              .y_stride = y.stride,
                              .rows = count,
                              .columns = y.columns});
  });
}

void patches(Exec& ex, Tensor y, int64_t items, const PatchSource& s) {
  if (items == 0) return;
  if (ex.device != nullptr) return on_device::patches(ex, y, items, s);
  const int64_t rows = y.rows / items, grid = rows - 1;
  const int64_t item_bytes = s.height * s.width * s.channels * (s.u8 ? 1 : static_cast<int64_t>(sizeof(float)));
  const int64_t rows_per_unit = std::max<int64_t>(1, s.width / s.patch), units = ceil_div(grid, rows_per_unit);
  const auto extract = s.u8 ? ex.kernels->patches_u8 : ex.kernels->patches_f32;
  ex.begin("patches", [&] { return cost_of_rows(y, 0, 0, static_cast<double>(items * item_bytes), bytes(y)); });
  ex.for_each_unit(items * units, [&](int64_t unit) {
    const int64_t item = unit / units, first = unit % units * rows_per_unit;
    const Tensor mine = y.row_range(item * rows, rows);
    if (first == 0) std::memset(mine.row(0), 0, static_cast<size_t>(mine.columns * size_of(mine.dtype)));
    extract({.pixels = static_cast<const char*>(s.pixels) + item * item_bytes,
             .table = s.table,
             .width = s.width,
             .height = s.height,
             .channels = s.channels,
             .patch = s.patch,
             .first_row = first,
             .rows = std::min(rows_per_unit, grid - first),
             .y = mine.row(1 + first),
             .y_stride = mine.stride,
             .y_is_bf16 = mine.dtype == DType::bf16});
  });
}

void resize(Exec& ex, const ResizeBatchArgs& pictures) { on_device::resize(ex, pictures); }

void similarity(Exec& ex, Tensor y, Tensor x, Tensor z, float scale) {
  if (ex.device != nullptr) return on_device::similarity(ex, y, x, z, scale);
  ex.begin("similarity",
           [&] { return cost_of_rows(y, 2.0 * static_cast<double>(x.columns), 0, bytes(x) + bytes(z), bytes(y)); });
  for_each_row_block(ex, x.rows, 1, [&](int64_t first, int64_t count) {
    ex.kernels->similarity({.x = x.f32_row(first),
                            .x_stride = x.stride,
                            .z = z.f32(),
                            .z_stride = z.stride,
                            .y = y.f32_row(first),
                            .y_stride = y.stride,
                            .rows = count,
                            .columns = z.rows,
                            .k = x.columns,
                            .scale = scale});
  });
}

}  // namespace tw
