#include "tests/cuda/kernels_under_test.h"

#include <algorithm>
#include <vector>

#include "core/checked_math.h"
#include "kernels/cuda/kernels.h"
#include "kernels/weight_tiles.h"
#include "tests/cuda/staged.h"

namespace tw::test {
namespace {

constexpr int64_t kF32 = 4, kHalf = 2;  // bytes

int64_t strips(int64_t columns) { return (columns + kStrip - 1) / kStrip * kStrip; }

void linear(LinearArgs p) {
  Staged s("linear");
  p.x = s.in(p.x, extent(p.rows, p.x_stride, p.k));
  p.weights = s.in(p.weights, strips(p.columns) * p.k);
  p.bias = s.in(p.bias, p.columns);
  p.y = s.out(p.y, extent(p.rows, p.y_stride, p.columns));
  cuda::linear(s.stream(), p);
  s.finish();
}

// `weight_bytes`: of all columns.
template <class Launch>
void linear_narrow(LinearNarrowArgs p, int64_t weight_bytes, Launch launch) {
  Staged s("linear_narrow");
  const int64_t each = size_of(p.type);
  p.weights = s.weights_in(p.weights, weight_bytes);
  p.x = s.bytes_in(p.x, extent(p.rows, p.x_stride, p.k) * each);
  p.scale = s.in(p.scale, p.columns);
  p.bias = s.in(p.bias, p.columns);
  p.y = s.bytes_out(p.y, extent(p.rows, p.y_stride, p.columns) * size_of(p.y_type));
  launch(s.stream(), p);
  s.finish();
}

void linear_bf16(const LinearBf16Args& p) {
  linear_narrow(as_narrow(p), strips(p.columns) * p.k * kHalf, cuda::linear_narrow);
}

void attend(AttentionBatchArgs p) {
  Staged s(p.type == DType::f32 ? "attention" : "attention_half");
  const int64_t element = size_of(p.type);
  int64_t queries = 0, keys = 0, most_keys = 0;
  for (const Sequence* q = p.sequences; q != p.sequences + p.items; ++q) {
    queries = std::max(queries, q->first_query + q->queries);
    keys = std::max(keys, q->first_key + q->keys);
    most_keys = std::max(most_keys, q->keys);
  }
  const int64_t head_columns = (p.heads - 1) * p.key_head_step + p.width;
  p.q = s.bytes_in(p.q, extent(queries, p.q_stride, p.heads * p.width) * element);
  p.k = s.bytes_in(p.k, extent(keys, p.k_stride, head_columns) * element);
  p.v = s.bytes_in(p.v, extent(keys, p.v_stride, head_columns) * element);
  p.out = s.bytes_out(p.out, extent(queries, p.out_stride, p.heads * p.width) * size_of(p.out_type));
  p.sequences = s.in(p.sequences, p.items);
  p.bias = s.in(p.bias, (p.items - 1) * p.bias_item + extent(p.most_queries, p.bias_query, most_keys));
  const int64_t farthest = p.distance_of_first + std::max<int64_t>(0, (p.most_queries - 1) * p.distance_step);
  p.distances = s.in(p.distances, (farthest + 1) * p.width);
  p.head_scale = s.in(p.head_scale, p.heads);
  p.weights = s.out(p.weights, p.items * p.heads * p.most_queries * most_keys);
  (p.type == DType::f32 ? cuda::attention : cuda::attention_half)(s.stream(), p);
  s.finish();
}

// One head of one sequence.
template <class Args>
AttentionBatchArgs batch_of_one(const Args& p, DType type, const Sequence& s) {
  return {.type = type,
          .q = p.q,
          .k = p.k,
          .v = p.v,
          .q_stride = p.q_stride,
          .k_stride = p.k_stride,
          .v_stride = p.v_stride,
          .out = p.out,
          .out_type = type,
          .out_factor = 1.0f,
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
  attention_batch(batch_of_one(p, DType::f32, s));
}

void attention_bf16(const AttentionBf16Args& p) {
  const Sequence s{0, p.queries, 0, p.keys};
  attention_batch(batch_of_one(p, DType::bf16, s));
}

void attention_full(const AttentionFullArgs& p) {
  const Sequence s{0, p.base.queries, 0, p.base.keys};
  AttentionBatchArgs batch = batch_of_one(p.base, DType::f32, s);
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
  attention_batch(batch);
  for (int64_t i = 0; p.weights != nullptr && i < p.base.queries; ++i)
    std::copy_n(weights.data() + i * p.base.keys, p.base.keys, p.weights + i * p.weights_stride);
}

void layer_norm(LayerNormBatchArgs batch) {
  Staged s("layer_norm");
  LayerNormArgs& p = batch.rows;
  p.x = s.in(p.x, extent(p.rows, p.x_stride, p.columns));
  p.gamma = s.in(p.gamma, p.columns);
  p.beta = s.in(p.beta, p.columns);
  p.y = s.out(p.y, extent(p.rows, p.y_stride, p.columns));
  p.y_bf16 = static_cast<uint16_t*>(
      s.bytes_out(p.y_bf16, extent(p.rows, p.y_bf16_stride, p.columns) * size_of(batch.copy_type)));
  cuda::layer_norm(s.stream(), batch);
  s.finish();
}

template <auto kLaunch>
void rows(const RowsArgs& args) {
  Staged s("a row-wise operation");
  RowsArgs p = args;
  p.x = s.in(p.x, extent(p.rows, p.x_stride, p.columns));
  p.y = s.out(p.y, extent(p.rows, p.y_stride, p.columns));
  kLaunch(s.stream(), p);
  s.finish();
}

void embed(EmbedArgs p) {
  Staged s("embed");
  const auto rows_of = [&](const int32_t* ids) {
    return p.rows == 0 ? 0 : int64_t{*std::max_element(ids, ids + p.rows)} + 1;
  };
  p.word = s.in(p.word, rows_of(p.ids) * p.columns);
  p.type = s.in(p.type, rows_of(p.type_ids) * p.columns);
  p.position = s.in(p.position, rows_of(p.position_ids) * p.columns);
  p.ids = s.in(p.ids, p.rows);
  p.type_ids = s.in(p.type_ids, p.rows);
  p.position_ids = s.in(p.position_ids, p.rows);
  p.y = s.out(p.y, extent(p.rows, p.y_stride, p.columns));
  cuda::embed(s.stream(), p);
  s.finish();
}

void add_periodic(AddPeriodicArgs p) {
  Staged s("add_periodic");
  p.table = s.in(p.table, p.period * p.columns);
  p.y = s.out(p.y, extent(p.rows, p.y_stride, p.columns));
  cuda::add_periodic(s.stream(), p);
  s.finish();
}

template <auto kLaunch>
void patches(PatchesBatchArgs p, int64_t pixel_bytes) {
  Staged s("patches");
  PatchesArgs& one = p.item;
  const int64_t rows_each = one.rows + (p.class_row ? 1 : 0);
  one.pixels =
      s.bytes_in(one.pixels, (p.items - 1) * p.item_bytes + one.width * one.height * one.channels * pixel_bytes);
  one.table = s.in(one.table, 3 * 256);
  one.y = s.bytes_out(
      one.y, extent((p.items - 1) * p.item_rows + rows_each, one.y_stride, one.channels * one.patch * one.patch) *
                 size_of(p.y_type));
  kLaunch(s.stream(), p);
  s.finish();
}

PatchesBatchArgs one_item(const PatchesArgs& p) {
  return {.item = p,
          .y_type = p.y_is_bf16 ? DType::bf16 : DType::f32,
          .items = 1,
          .item_rows = p.rows,
          .item_bytes = 0,
          .class_row = false};
}

void similarity(SimilarityArgs p) {
  Staged s("similarity");
  p.x = s.in(p.x, extent(p.rows, p.x_stride, p.k));
  p.z = s.in(p.z, extent(p.columns, p.z_stride, p.k));
  p.y = s.out(p.y, extent(p.rows, p.y_stride, p.columns));
  cuda::similarity(s.stream(), p);
  s.finish();
}

template <auto kLaunch, int64_t kFrom, int64_t kTo>
void convert(const ConvertArgs& p) {
  Staged s("a conversion");
  const void* from = s.bytes_in(p.from, p.count * kFrom);
  void* to = s.bytes_out(p.to, p.count * kTo);
  kLaunch(s.stream(), {from, to, p.count});
  s.finish();
}

}  // namespace

void linear_narrow_in_tiles(const LinearNarrowArgs& p, int tile_rows) {
  linear_narrow(p, strips(p.columns) * p.k * size_of(p.type),
                [=](cuda::Stream stream, const auto& args) { cuda::linear_narrow_in_tiles(stream, args, tile_rows); });
}
void linear_sm90_in_tiles(const LinearNarrowArgs& p, int tile_rows) {
  const int64_t bytes =
      round_up(p.skipped + p.columns, kTileColumns) * round_up(p.k * size_of(p.type), kTileDepthBytes);
  linear_narrow(p, bytes,
                [=](cuda::Stream stream, const auto& args) { cuda::linear_sm90_in_tiles(stream, args, tile_rows); });
}
void attention_batch(const AttentionBatchArgs& p) { attend(p); }
void layer_norm_batch(const LayerNormBatchArgs& p) { layer_norm(p); }
void convert_to_f16(const ConvertArgs& p) { convert<cuda::f32_to_f16, kF32, kHalf>(p); }
void patches_u8_batch(const PatchesBatchArgs& p) { patches<cuda::patches_u8>(p, 1); }
void patches_f32_batch(const PatchesBatchArgs& p) { patches<cuda::patches_f32>(p, kF32); }

void resize(const ResizeBatchArgs& args, int64_t staged_bytes, int64_t between_bytes) {
  Staged s("resize");
  ResizeBatchArgs p = args;
  p.staged = s.in(p.staged, staged_bytes);
  p.pictures = s.in(p.pictures, p.count);
  p.between = s.out(p.between, between_bytes);
  p.result = s.out(p.result, p.count * p.side * p.side * 3);
  cuda::resize(s.stream(), p);
  s.finish();
}

void gather_rows(const GatherRowsArgs& args, int64_t rows_of_x) {
  Staged s("gather_rows");
  GatherRowsArgs p = args;
  p.x = s.bytes_in(p.x, extent(rows_of_x, p.x_stride, p.columns) * size_of(p.x_type));
  p.rows = s.in(p.rows, p.count);
  p.y = s.bytes_out(p.y, extent(p.count, p.y_stride, p.columns) * size_of(p.y_type));
  cuda::gather_rows(s.stream(), p);
  s.finish();
}

void clear(const ClearArgs& args) {
  Staged s("clear");
  ClearArgs p = args;
  p.y = s.bytes_out(p.y, extent(p.rows, p.y_stride, p.bytes));
  cuda::clear(s.stream(), p);
  s.finish();
}

void activate_rows(const ActivateArgs& args) {
  Staged s("activate");
  ActivateArgs p = args;
  p.x = s.bytes_out(p.x, extent(p.rows, p.x_stride, p.columns) * size_of(p.type));
  cuda::activate_rows(s.stream(), p);
  s.finish();
}

void compare_rows(const CompareRowsArgs& args) {
  Staged s("compare_rows");
  CompareRowsArgs p = args;
  const int64_t bytes = extent(p.rows, p.stride, p.columns) * size_of(p.type);
  p.x = s.bytes_in(p.x, bytes);
  p.y = s.bytes_in(p.y, bytes);
  p.worst = s.out(p.worst, p.rows);
  cuda::compare_rows(s.stream(), p);
  s.finish();
}

void store_heads(const StoreHeadsArgs& args) {
  Staged s("store_heads");
  StoreHeadsArgs p = args;
  HeadBlocks& b = p.blocks;
  const int64_t units = b.items * b.heads * p.width;
  p.x = s.in(p.x, extent(b.items * b.length, p.x_stride, b.heads * p.width));
  if (b.past > 0) b.before = s.in(b.before, units * b.past);
  b.to = s.out(b.to, units * (b.past + b.length));
  cuda::store_heads(s.stream(), p);
  s.finish();
}

const KernelTable& kernels_under_test() {
  static const KernelTable kTable = [] {
    KernelTable t = reference_table();
    t.name = "cuda";
    t.linear = [](const LinearArgs& p) { linear(p); };
    t.linear_bf16 = linear_bf16;
    t.attention = attention;
    t.attention_full = attention_full;
    t.attention_bf16 = attention_bf16;
    t.layer_norm = [](const LayerNormArgs& p) { layer_norm({p, DType::bf16, 1.0f}); };
    t.softmax = rows<cuda::softmax>;
    t.l2_normalize = rows<cuda::l2_normalize>;
    t.activation = rows<cuda::activation>;
    t.embed = [](const EmbedArgs& p) { embed(p); };
    t.add_periodic = [](const AddPeriodicArgs& p) { add_periodic(p); };
    t.patches_u8 = [](const PatchesArgs& p) { patches_u8_batch(one_item(p)); };
    t.patches_f32 = [](const PatchesArgs& p) { patches_f32_batch(one_item(p)); };
    t.similarity = [](const SimilarityArgs& p) { similarity(p); };
    t.f16_to_f32 = convert<cuda::f16_to_f32, kHalf, kF32>;
    t.bf16_to_f32 = convert<cuda::bf16_to_f32, kHalf, kF32>;
    t.f32_to_bf16 = convert<cuda::f32_to_bf16, kF32, kHalf>;
    return t;
  }();
  return kTable;
}

}  // namespace tw::test
