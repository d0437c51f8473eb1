#include "tests/cuda/shim_table.h"

#include <algorithm>
#include <vector>

#include "kernels/cuda/kernels.h"

namespace tw::test {
namespace {

constexpr cuda::Stream kStream = nullptr;

template <auto kLaunch, class Args>
void on_stream(const Args& p) {
  kLaunch(kStream, p);
}

// One head of one sequence.
template <class Args>
AttentionBatchArgs batch_of_one(const Args& p, const Sequence& s) {
  return {.q = p.q,
          .k = p.k,
          .v = p.v,
          .q_stride = p.q_stride,
          .k_stride = p.k_stride,
          .v_stride = p.v_stride,
          .out = p.out,
          .out_stride = p.out_stride,
          .sequences = &s,
          .items = 1,
          .heads = 1,
          .width = p.width,
          .most_queries = p.queries,
          .key_head_step = p.width,
          .scale = p.scale};
}

void attention(const AttentionArgs& p) {
  const Sequence s{0, p.queries, 0, p.keys};
  cuda::attention(kStream, batch_of_one(p, s));
}

void attention_bf16(const AttentionBf16Args& p) {
  const Sequence s{0, p.queries, 0, p.keys};
  cuda::attention_bf16(kStream, batch_of_one(p, s));
}

void attention_full(const AttentionFullArgs& p) {
  const Sequence s{0, p.base.queries, 0, p.base.keys};
  AttentionBatchArgs batch = batch_of_one(p.base, s);
  batch.full = true;
  batch.bias = p.bias;
  batch.bias_query = p.bias_stride;
  batch.causal = p.causal;
  batch.causal_first = p.causal_first;
  batch.distances = p.distances;
  batch.distance_of_first = p.distance_of_first;
  batch.distance_step = p.distance_step;
  batch.distances_of_keys = p.distances_of_keys;
  batch.head_scale = &p.head_scale;
  std::vector<float> weights(static_cast<size_t>(p.weights == nullptr ? 0 : p.base.queries * p.base.keys));
  if (p.weights != nullptr) batch.weights = weights.data();  // dense; the table's rows may lie apart
  cuda::attention(kStream, batch);
  for (int64_t i = 0; p.weights != nullptr && i < p.base.queries; ++i)
    std::copy_n(weights.data() + i * p.base.keys, p.base.keys, p.weights + i * p.weights_stride);
}

template <auto kLaunch>
void patches(const PatchesArgs& p) {
  kLaunch(kStream, PatchesBatchArgs{.item = p, .items = 1, .item_rows = p.rows, .item_bytes = 0, .class_row = false});
}

}  // namespace

const KernelTable& shim_table() {
  static const KernelTable kTable = [] {
    KernelTable t = reference_table();
    t.name = "cuda on the host shim";
    t.linear = on_stream<cuda::linear, LinearArgs>;
    t.linear_bf16 = on_stream<cuda::linear_bf16, LinearBf16Args>;
    t.attention = attention;
    t.attention_full = attention_full;
    t.attention_bf16 = attention_bf16;
    t.layer_norm = on_stream<cuda::layer_norm, LayerNormArgs>;
    t.softmax = on_stream<cuda::softmax, RowsArgs>;
    t.l2_normalize = on_stream<cuda::l2_normalize, RowsArgs>;
    t.activation = on_stream<cuda::activation, RowsArgs>;
    t.embed = on_stream<cuda::embed, EmbedArgs>;
    t.add_periodic = on_stream<cuda::add_periodic, AddPeriodicArgs>;
    t.patches_u8 = patches<cuda::patches_u8>;
    t.patches_f32 = patches<cuda::patches_f32>;
    t.similarity = on_stream<cuda::similarity, SimilarityArgs>;
    t.f16_to_f32 = on_stream<cuda::f16_to_f32, ConvertArgs>;
    t.bf16_to_f32 = on_stream<cuda::bf16_to_f32, ConvertArgs>;
    t.f32_to_bf16 = on_stream<cuda::f32_to_bf16, ConvertArgs>;
    return t;
  }();
  return kTable;
}

}  // namespace tw::test
