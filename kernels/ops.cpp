#include "kernels/ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/checked_math.h"

namespace tw {
namespace {

// Rows that one claim of a row-wise operation covers: enough to make the claim itself cheap.
constexpr int64_t kRowsPerUnit = 8;

template <class Rows>
void for_each_row_block(Exec& ex, int64_t rows, int64_t rows_per_unit, Rows body) {
  ex.for_each_unit(ceil_div(rows, rows_per_unit), [&](int64_t unit) {
    const int64_t first = unit * rows_per_unit;
    body(first, std::min(rows_per_unit, rows - first));
  });
}

// Rows that a panel of weights is multiplied with in one go: their activations stay in L2.
constexpr int64_t kRowsPerBlock = 512;

// The pieces that members share a product in: blocks of rows times panels of columns. There is more than one block only
// where there are many rows, or so few panels that members had too little to share.
struct Pieces {
  int64_t panels, blocks;

  Pieces(const Exec& ex, int64_t rows, int64_t n) : panels(ceil_div(n, kPanel)) {
    const int64_t wanted = ex.member.count == 1 ? 1 : ceil_div(int64_t{4} * ex.member.count, panels);
    blocks = std::max(std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, rows / 24)), ceil_div(rows, kRowsPerBlock));
  }
};

// Calls body(first column, columns, first row, end row, first column of what this member will likely do next or -1),
// all columns of a block of rows before the next block.
template <class Body>
void for_each_piece(Exec& ex, int64_t rows, int64_t n, Body body) {
  const Pieces pieces(ex, rows, n);
  ex.for_each_unit(pieces.panels * pieces.blocks, [&](int64_t unit) {
    const int64_t n0 = unit % pieces.panels * kPanel, block = unit / pieces.panels;
    const int64_t next = (unit + ex.member.count) % pieces.panels * kPanel;
    body(n0, std::min(kPanel, n - n0), rows * block / pieces.blocks, rows * (block + 1) / pieces.blocks,
         next != n0 ? next : -1);
  });
}

void product_f32(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
  const auto* strips = static_cast<const float*>(w.strips);
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
  for_each_row_block(ex, x.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    for (int64_t r = first; r < first + count; ++r)
      std::memset(x.bf16_row(r) + x.columns, 0, static_cast<size_t>((depth - x.columns) * size_of(DType::bf16)));
  });
}

void* output(Tensor y, int64_t row, int64_t column) { return y.column_range(column, 0).row(row); }

void product_bf16(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
  const auto* strips = static_cast<const uint16_t*>(w.strips);
  const int64_t depth = bf16_depth(w.k);
  clear_behind(ex, x, depth);
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
  for_each_row_block(ex, x.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    ex.kernels->quantize({.x = x.row(first),
                          .x_stride = x.stride,
                          .multiplier = q.multiplier,
                          .y = ex.quantized + first * stride,
                          .y_stride = stride,
                          .x_scale = ex.quantized_scale + first,
                          .x_zero = ex.quantized_zero + first,
                          .rows = count,
                          .columns = w.k,
                          .y_columns = q.k_padded,
                          .x_is_bf16 = x.dtype == DType::bf16});
  });
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
  if (ex.observer != nullptr) {
    ex.observer->see(ex.observer->self, *w.owner, x, ex.member);
    ex.member.wait();
  }
  const auto run = w.type == DType::i8 ? product_int8 : w.type == DType::bf16 ? product_bf16 : product_f32;
  run(ex, y, x, w, activation, add_to_output);
}

}  // namespace

void linear(Exec& ex, Tensor y, Tensor x, LinearView w, Epilogue epilogue) {
  product(ex, y, x, w, Activation::linear, epilogue == Epilogue::add_to_output);
}

void linear(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation) {
  product(ex, y, x, w, activation, false);
}

void layer_norm(Exec& ex, Tensor y, Tensor x, const LayerNorm& w) { layer_norm(ex, y, y, x, w); }

void layer_norm(Exec& ex, Tensor y, Tensor copy, Tensor x, const LayerNorm& w) {
  const bool f32 = y.dtype == DType::f32, bf16 = copy.dtype == DType::bf16;
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
  });
}

void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads) {
  const int64_t width = q.columns / heads, items = static_cast<int64_t>(sequences.size());
  // A unit is one head of one sequence. Where there are fewer than members, queries are cut too; K and V are then
  // packed once per part.
  const int64_t parts = ceil_div(ex.member.count, std::max<int64_t>(1, items * heads));
  ex.for_each_unit(items * heads * parts, [&](int64_t unit) {
    const Sequence& s = sequences[static_cast<size_t>(unit / (heads * parts))];
    const int64_t column = unit / parts % heads * width, part = unit % parts;
    const int64_t first = s.queries * part / parts, end = s.queries * (part + 1) / parts;
    if (first == end) return;
    const auto attend = [&](auto kernel, auto row) {
      kernel({.q = row(q, s.first_query + first) + column,
              .k = row(k, s.first_key) + column,
              .v = row(v, s.first_key) + column,
              .q_stride = q.stride,
              .k_stride = k.stride,
              .v_stride = v.stride,
              .out = row(out, s.first_query + first) + column,
              .out_stride = out.stride,
              .queries = end - first,
              .keys = s.keys,
              .width = width,
              .scale = 1.0f / std::sqrt(static_cast<float>(width)),
              .scratch = ex.scratch});
    };
    if (q.dtype == DType::bf16) {
      attend(ex.kernels->attention_bf16, [](Tensor t, int64_t r) { return t.bf16_row(r); });
    } else {
      attend(ex.kernels->attention, [](Tensor t, int64_t r) { return t.f32_row(r); });
    }
  });
}

void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads,
               const AttentionTerms& terms) {
  const int64_t width = q.columns / heads, items = static_cast<int64_t>(sequences.size());
  const int64_t parts = ceil_div(ex.member.count, std::max<int64_t>(1, items * heads));
  const int64_t key_step = terms.key_head_step == 0 ? width : terms.key_head_step;
  ex.for_each_unit(items * heads * parts, [&](int64_t unit) {
    const int64_t item = unit / (heads * parts), head = unit / parts % heads, part = unit % parts;
    const Sequence& s = sequences[static_cast<size_t>(item)];
    const int64_t first = s.queries * part / parts, end = s.queries * (part + 1) / parts;
    if (first == end) return;
    ex.kernels->attention_full(
        {.base = {.q = q.f32_row(s.first_query + first) + head * width,
                  .k = k.f32_row(s.first_key) + head * key_step,
                  .v = v.f32_row(s.first_key) + head * key_step,
                  .q_stride = q.stride,
                  .k_stride = k.stride,
                  .v_stride = v.stride,
                  .out = out.f32_row(s.first_query + first) + head * width,
                  .out_stride = out.stride,
                  .queries = end - first,
                  .keys = s.keys,
                  .width = width,
                  .scale = 1.0f / std::sqrt(static_cast<float>(width)),
                  .scratch = ex.scratch},
         .bias = terms.bias == nullptr ? nullptr : terms.bias + item * terms.bias_item + first * terms.bias_query,
         .bias_stride = terms.bias_query,
         .causal = terms.causal,
         .causal_first = terms.causal_first + first,
         .distances = terms.distances,
         .distance_of_first = terms.distance_of_first + first * terms.distance_step,
         .distance_step = terms.distance_step,
         .distances_of_keys = terms.distances_of_keys,
         .head_scale = terms.head_scale == nullptr ? 1.0f : terms.head_scale[head],
         .weights =
             terms.weights == nullptr ? nullptr : terms.weights + ((item * heads + head) * s.queries + first) * s.keys,
         .weights_stride = s.keys});
  });
}

int64_t attention_scratch_floats(int64_t most_keys, int64_t head_width, DType type) {
  const auto floats = type == DType::bf16 ? attention_bf16_scratch : attention_scratch;
  return round_up(floats(most_keys, head_width), kStrip);
}

void gather_rows(Exec& ex, Tensor y, Tensor x, std::span<const int64_t> rows) {
  for_each_row_block(ex, y.rows, kRowsPerUnit, [&](int64_t first, int64_t count) {
    for (int64_t r = first; r < first + count; ++r)
      std::memcpy(y.row(r), x.row(rows[static_cast<size_t>(r)]), static_cast<size_t>(y.columns * size_of(y.dtype)));
  });
}

void copy_rows(Exec& ex, Tensor y, Tensor x) {
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
  const int64_t width = x.columns / b.heads;
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
  const int64_t rows = y.rows / items, grid = rows - 1;
  const int64_t bytes = s.height * s.width * s.channels * (s.u8 ? 1 : static_cast<int64_t>(sizeof(float)));
  const int64_t rows_per_unit = std::max<int64_t>(1, s.width / s.patch), units = ceil_div(grid, rows_per_unit);
  const auto extract = s.u8 ? ex.kernels->patches_u8 : ex.kernels->patches_f32;
  ex.for_each_unit(items * units, [&](int64_t unit) {
    const int64_t item = unit / units, first = unit % units * rows_per_unit;
    const Tensor mine = y.row_range(item * rows, rows);
    if (first == 0) std::memset(mine.row(0), 0, static_cast<size_t>(mine.columns * size_of(mine.dtype)));
    extract({.pixels = static_cast<const char*>(s.pixels) + item * bytes,
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

void similarity(Exec& ex, Tensor y, Tensor x, Tensor z, float scale) {
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
