#include "kernels/ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/checked_math.h"
#include "kernels/ops_device.h"

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

// What the profile is told of an operation.

double bytes(Tensor t) { return static_cast<double>(t.rows * t.columns * size_of(t.dtype)); }

// One that takes each row by itself: reads `tables` bytes of parameters and `read`, writes `written`.
OpCost cost_of_rows(Tensor y, double flops_per_value, double tables, double read, double written) {
  return {.rows = y.rows,
          .columns = y.columns,
          .flops = flops_per_value * static_cast<double>(y.rows * y.columns),
          .weight_bytes = tables,
          .activation_bytes = read + written};
}

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

OpCost cost_of_attention(Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences) {
  OpCost cost{.type = q.dtype, .rows = q.rows, .columns = q.columns};
  for (const Sequence& s : sequences) cost.flops += 4.0 * static_cast<double>(s.queries * s.keys * q.columns);
  cost.activation_bytes = bytes(out) + bytes(q) + bytes(k) + bytes(v);
  return cost;
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

void product_bf16(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
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
  const Exec::Quantized wanted{x.row(0), x.rows, x.columns, x.stride, q.multiplier, ex.sequence - 1};
  if (ex.in_quantized != wanted) {
    ex.begin("quantize", [&] { return cost_of_rows(x, 2, 0, bytes(x), quantized); });
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
  }
  ex.in_quantized = wanted;
  ex.in_quantized.used_by = ex.sequence;
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
  if (ex.device != nullptr) return on_device::layer_norm(ex, y, copy, x, w);
  const bool f32 = y.dtype == DType::f32, bf16 = copy.dtype == DType::bf16;
  ex.begin("layer_norm",
           [&] { return cost_of_rows(x, 8, 0, bytes(x), (f32 ? bytes(y) : 0) + (bf16 ? bytes(copy) : 0)); });
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

namespace {

// What a member attends to in one go: queries [first, first + count) of one head of one sequence.
struct HeadPart {
  const Sequence& sequence;
  int64_t item, head, first, count;
};

// A unit is one head of one sequence. Where there are fewer than members, queries are cut too; K and V are then packed
// once per part.
template <class Body>
void for_each_head_part(Exec& ex, std::span<const Sequence> sequences, int64_t heads, Body body) {
  const int64_t items = static_cast<int64_t>(sequences.size());
  const int64_t parts = ceil_div(ex.member.count, std::max<int64_t>(1, items * heads));
  ex.for_each_unit(items * heads * parts, [&](int64_t unit) {
    const int64_t item = unit / (heads * parts), part = unit % parts;
    const Sequence& s = sequences[static_cast<size_t>(item)];
    const int64_t first = s.queries * part / parts, end = s.queries * (part + 1) / parts;
    if (first < end) body(HeadPart{s, item, unit / parts % heads, first, end - first});
  });
}

// AttentionArgs or AttentionBf16Args of a part; row(tensor, r) is a row of that type. Heads lie side by side in q and
// out, and `key_step` elements apart in k and v.
template <class Args, class Row>
Args attention_args(const Exec& ex, const HeadPart& p, Tensor out, Tensor q, Tensor k, Tensor v, int64_t width,
                    int64_t key_step, Row row) {
  const Sequence& s = p.sequence;
  const int64_t column = p.head * width, key_column = p.head * key_step;
  return {.q = row(q, s.first_query + p.first) + column,
          .k = row(k, s.first_key) + key_column,
          .v = row(v, s.first_key) + key_column,
          .q_stride = q.stride,
          .k_stride = k.stride,
          .v_stride = v.stride,
          .out = row(out, s.first_query + p.first) + column,
          .out_stride = out.stride,
          .queries = p.count,
          .keys = s.keys,
          .width = width,
          .scale = 1.0f / std::sqrt(static_cast<float>(width)),
          .scratch = ex.scratch};
}

float* row_f32(Tensor t, int64_t row) { return t.f32_row(row); }
uint16_t* row_bf16(Tensor t, int64_t row) { return t.bf16_row(row); }

}  // namespace

void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads) {
  if (ex.device != nullptr) return on_device::attention(ex, out, q, k, v, sequences, heads);
  const int64_t width = q.columns / heads;
  ex.begin("attention", [&] { return cost_of_attention(out, q, k, v, sequences); });
  for_each_head_part(ex, sequences, heads, [&](const HeadPart& part) {
    if (q.dtype == DType::bf16) {
      ex.kernels->attention_bf16(attention_args<AttentionBf16Args>(ex, part, out, q, k, v, width, width, row_bf16));
    } else {
      ex.kernels->attention(attention_args<AttentionArgs>(ex, part, out, q, k, v, width, width, row_f32));
    }
  });
}

void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads,
               const AttentionTerms& t) {
  if (ex.device != nullptr) return on_device::attention(ex, out, q, k, v, sequences, heads, t);
  const int64_t width = q.columns / heads, key_step = t.key_head_step == 0 ? width : t.key_head_step;
  ex.begin("attention", [&] { return cost_of_attention(out, q, k, v, sequences); });
  for_each_head_part(ex, sequences, heads, [&](const HeadPart& p) {
    const int64_t queries = p.sequence.queries, keys = p.sequence.keys;
    ex.kernels->attention_full(
        {.base = attention_args<AttentionArgs>(ex, p, out, q, k, v, width, key_step, row_f32),
         .bias = t.bias == nullptr ? nullptr : t.bias + p.item * t.bias_item + p.first * t.bias_query,
         .bias_stride = t.bias_query,
         .causal = t.causal,
         .causal_first = t.causal_first + p.first,
         .distances = t.distances,
         .distance_of_first = t.distance_of_first + p.first * t.distance_step,
         .distance_step = t.distance_step,
         .distances_of_keys = t.distances_of_keys,
         .head_scale = t.head_scale == nullptr ? 1.0f : t.head_scale[p.head],
         .weights = t.weights == nullptr ? nullptr : t.weights + ((p.item * heads + p.head) * queries + p.first) * keys,
         .weights_stride = keys});
  });
}

int64_t attention_scratch_floats(int64_t most_keys, int64_t head_width, DType type) {
  const auto floats = type == DType::bf16 ? attention_bf16_scratch : attention_scratch;
  return round_up(floats(most_keys, head_width), kStrip);
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
