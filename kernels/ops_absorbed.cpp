// Attention without keys and values of ops.h: its steps, shared between members.
#include <algorithm>
#include <cmath>

#include "core/checked_math.h"
#include "kernels/ops.h"
#include "kernels/ops_slices.h"

namespace tw {
namespace {

// Sequences that are worked on together: the weights are read once for all of them.
constexpr int64_t kGroup = 16;
// Depth of the weights that one claim of the first step covers.
constexpr int64_t kDepthPerUnit = 32;
// Rows that one claim of the scores covers at most: a tile of few rows suits a product of few columns.
constexpr int64_t kRowsPerScores = 48;

// One query a sequence asks, for `width` numbers a head, rows that are `depth` wide.
struct Asked {
  Tensor out, q, x;
  LinearView keys, values;
  int64_t heads, width, depth, padded_heads;
  float *scores, *u, *mixed;  // of all rows; of each sequence of a group; the same

  float* scores_of(int64_t row) const { return scores + row * padded_heads; }
  float* u_of(int64_t i) const { return u + i * padded_heads * depth; }   // weights [heads, depth], packed
  float* mixed_of(int64_t i) const { return mixed + i * heads * depth; }  // [heads, depth]
};

// What the steps through a weight matrix cost, which is read once for the group; `heads` rows of depth a sequence.
OpCost cost_over_weights(const Asked& a, std::span<const Sequence> group, int64_t heads) {
  const auto sequences = static_cast<double>(group.size()), each = static_cast<double>(a.q.columns * a.depth);
  return {.rows = std::ssize(group),
          .columns = a.q.columns,
          .k = a.depth,
          .flops = 2 * sequences * each,
          .weight_bytes = each * static_cast<double>(size_of(DType::f32)),
          .activation_bytes = sequences * static_cast<double>(heads * a.depth * size_of(DType::f32))};
}

// u = W^T q
void absorb_keys(Exec& ex, const Asked& a, std::span<const Sequence> group) {
  ex.begin("absorb_keys", [&] { return cost_over_weights(a, group, a.padded_heads); });
  for_each_row_block(ex, a.depth, kDepthPerUnit, [&](int64_t first, int64_t count) {
    for (size_t i = 0; i < group.size(); ++i) {
      ex.kernels->absorb_keys({.q = a.q.f32_row(group[i].first_query),
                               .weights = static_cast<const float*>(a.keys.strips),
                               .u = a.u_of(static_cast<int64_t>(i)),
                               .heads = a.heads,
                               .width = a.width,
                               .k = a.depth,
                               .first = first,
                               .count = count});
    }
  });
}

// What the steps over the rows of x cost: heads times depth multiplications a row, which are read once.
OpCost cost_over_rows(const Asked& a, std::span<const Sequence> group) {
  OpCost cost{.columns = a.heads, .k = a.depth};
  for (const Sequence& s : group) cost.rows += s.keys;
  cost.flops = 2 * static_cast<double>(cost.rows * a.heads * a.depth);
  cost.activation_bytes = static_cast<double>(cost.rows * (a.depth + a.padded_heads) * size_of(DType::f32));
  return cost;
}

// scores[j, h] = x_j . u_h
void score_rows(Exec& ex, const Asked& a, std::span<const Sequence> group) {
  int64_t most = 0;
  for (const Sequence& s : group) most = std::max(most, s.keys);
  const int64_t blocks = ceil_div(most, kRowsPerScores);
  ex.begin("score_rows", [&] { return cost_over_rows(a, group); });
  ex.for_each_unit(std::ssize(group) * blocks, [&](int64_t unit) {
    const int64_t i = unit / blocks, block = unit % blocks;
    const Sequence& s = group[static_cast<size_t>(i)];
    const int64_t first = s.first_key + s.keys * block / blocks, end = s.first_key + s.keys * (block + 1) / blocks;
    ex.kernels->linear({.x = a.x.f32_row(first),
                        .x_stride = a.x.stride,
                        .weights = a.u_of(i),
                        .bias = nullptr,
                        .y = a.scores_of(first),
                        .y_stride = a.padded_heads,
                        .rows = end - first,
                        .columns = a.heads,
                        .k = a.depth,
                        .activation = Activation::linear,
                        .add_to_output = false});
  });
}

// p = softmax(scores / sqrt(d)) over the rows of each sequence
void weigh(Exec& ex, const Asked& a, std::span<const Sequence> group) {
  ex.begin("softmax_columns", [&] {
    OpCost cost{.columns = a.heads};
    for (const Sequence& s : group) cost.rows += s.keys;
    cost.activation_bytes = 2.0 * static_cast<double>(cost.rows * a.padded_heads * size_of(DType::f32));
    return cost;
  });
  ex.for_each_unit(std::ssize(group), [&](int64_t i) {
    const Sequence& s = group[static_cast<size_t>(i)];
    ex.kernels->softmax_columns({.x = a.scores_of(s.first_key),
                                 .x_stride = a.padded_heads,
                                 .rows = s.keys,
                                 .columns = a.heads,
                                 .scale = 1.0f / std::sqrt(static_cast<float>(a.width))});
  });
}

// mixed_h = sum_j p[j, h] x_j
void mix_rows(Exec& ex, const Asked& a, std::span<const Sequence> group) {
  const int64_t panels = ceil_div(a.depth, kPanel);
  ex.begin("weigh_rows", [&] { return cost_over_rows(a, group); });
  ex.for_each_unit(std::ssize(group) * panels, [&](int64_t unit) {
    const int64_t i = unit / panels, column = unit % panels * kPanel;
    const Sequence& s = group[static_cast<size_t>(i)];
    ex.kernels->weigh_rows({.p = a.scores_of(s.first_key),
                            .p_stride = a.padded_heads,
                            .x = a.x.f32_row(s.first_key) + column,
                            .x_stride = a.x.stride,
                            .y = a.mixed_of(i) + column,
                            .y_stride = a.depth,
                            .rows = s.keys,
                            .columns = std::min(kPanel, a.depth - column),
                            .heads = a.heads});
  });
}

// out_h = V_h mixed_h + c_h
void values_of_mixed(Exec& ex, const Asked& a, std::span<const Sequence> group) {
  const int64_t sequences = std::ssize(group);
  const auto* strips = static_cast<const float*>(a.values.strips);
  ex.begin("mixed_values", [&] { return cost_over_weights(a, group, a.heads); });
  ex.for_each_unit(a.heads, [&](int64_t head) {
    const int64_t column = head * a.width, next = WorkFront::after(head, a.heads, ex.member) * a.width;
    ex.kernels->linear({.x = a.mixed + head * a.depth,
                        .x_stride = a.heads * a.depth,
                        .weights = strips + column * a.depth,
                        .bias = a.values.bias == nullptr ? nullptr : a.values.bias + column,
                        .y = a.out.f32_row(group[0].first_query) + column,
                        .y_stride = a.out.stride,
                        .rows = sequences,
                        .columns = a.width,
                        .k = a.depth,
                        .activation = Activation::linear,
                        .add_to_output = false,
                        .next = next == column ? nullptr : strips + next * a.depth});
  });
}

}  // namespace

int64_t absorbed_attention_floats(int64_t rows, int64_t sequences, int64_t width, int64_t heads) {
  const int64_t padded = round_up(heads, kStrip);
  return rows * padded + std::min(sequences, kGroup) * (padded + heads) * width;
}

int64_t rows_with_absorbed(int64_t rows, int64_t sequences, int64_t width, int64_t heads, DType type) {
  if (type != DType::f32) return rows;
  const int64_t each = activation_stride(2 * round_up(width, kStrip), type);
  return std::max(rows, ceil_div(absorbed_attention_floats(rows, sequences, width, heads), each));
}

void absorbed_attention(Exec& ex, Tensor out, Tensor q, Tensor x, LinearView keys, LinearView values,
                        std::span<const Sequence> sequences, int64_t heads, float* room) {
  Asked a{.out = out,
          .q = q,
          .x = x,
          .keys = keys,
          .values = values,
          .heads = heads,
          .width = q.columns / heads,
          .depth = x.columns,
          .padded_heads = round_up(heads, kStrip),
          .scores = room,
          .u = nullptr,
          .mixed = nullptr};
  a.u = a.scores_of(x.rows);
  a.mixed = a.u_of(std::min(std::ssize(sequences), kGroup));
  for (size_t first = 0; first < sequences.size(); first += kGroup) {
    const auto group = sequences.subspan(first, std::min<size_t>(kGroup, sequences.size() - first));
    absorb_keys(ex, a, group);
    score_rows(ex, a, group);
    weigh(ex, a, group);
    mix_rows(ex, a, group);
    values_of_mixed(ex, a, group);
  }
}

}  // namespace tw
