// Attention of ops.h: heads and queries shared between members.
#include <algorithm>
#include <cmath>

#include "core/checked_math.h"
#include "kernels/ops.h"
#include "kernels/ops_device.h"
#include "kernels/ops_slices.h"

namespace tw {
namespace {

OpCost cost_of_attention(Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences) {
  OpCost cost{.type = q.dtype, .rows = q.rows, .columns = q.columns};
  for (const Sequence& s : sequences) cost.flops += 4.0 * static_cast<double>(s.queries * s.keys * q.columns);
  cost.activation_bytes = bytes(out) + bytes(q) + bytes(k) + bytes(v);
  return cost;
}

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

}  // namespace tw
