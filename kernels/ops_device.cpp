#include "kernels/ops_device.h"

#include <algorithm>
#include <cmath>

namespace tw::on_device {
namespace {

// The device's copy of an array.
template <class T>
const T* staged(const Exec& ex, const T* array) {
  return array == nullptr
             ? nullptr
             : reinterpret_cast<const T*>(reinterpret_cast<uintptr_t>(array) + static_cast<uintptr_t>(ex.to_device));
}

AttentionBatchArgs batch(const Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences,
                         int64_t heads) {
  const int64_t width = q.columns / heads;
  int64_t most_queries = 0;
  for (const Sequence& s : sequences) most_queries = std::max(most_queries, s.queries);
  return {.type = q.dtype,
          .q = q.data,
          .k = k.data,
          .v = v.data,
          .q_stride = q.stride,
          .k_stride = k.stride,
          .v_stride = v.stride,
          .out = out.data,
          .out_type = out.dtype,
          .out_factor = out.factor,
          .out_stride = out.stride,
          .sequences = staged(ex, sequences.data()),
          .items = std::ssize(sequences),
          .heads = heads,
          .width = width,
          .most_queries = most_queries,
          .key_head_step = width,
          .scale = 1.0f / std::sqrt(static_cast<float>(width))};
}

}  // namespace

void product(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
  if (w.type == DType::f32) {
    return ex.device->linear(ex.stream, {.x = x.f32(),
                                         .x_stride = x.stride,
                                         .weights = static_cast<const float*>(w.strips),
                                         .bias = w.bias,
                                         .y = y.f32(),
                                         .y_stride = y.stride,
                                         .rows = x.rows,
                                         .columns = w.n,
                                         .k = w.k,
                                         .activation = activation,
                                         .add_to_output = add_to_output});
  }
  // Products read whole lines of k: zeros behind the row's end.
  const int64_t each = size_of(w.type), depth = round_up(w.k * each, kDepthBytes) / each;
  if (depth > x.columns) {
    void* end = x.column_range(x.columns, 0).data;
    ex.device->clear(ex.stream, {end, x.stride * each, x.rows, (depth - x.columns) * each});
  }
  const LinearNarrowArgs args{.type = w.type,
                              .x = x.data,
                              .x_stride = x.stride,
                              .weights = w.strips,
                              .scale = w.scale,
                              .bias = w.bias,
                              .y = y.data,
                              .y_type = y.dtype,
                              .y_factor = y.factor,
                              .y_stride = y.stride,
                              .rows = x.rows,
                              .columns = w.n,
                              .k = depth,
                              .activation = activation,
                              .add_to_output = add_to_output,
                              .skipped = w.skipped};
  if (ex.products.choices != nullptr && ex.products.choices->multiply(ex.products, ex.stream, args, w.plain)) return;
  ex.device->linear_narrow(ex.stream, args);
}

void layer_norm(Exec& ex, Tensor y, Tensor copy, Tensor x, const LayerNorm& w) {
  ex.device->layer_norm(ex.stream,
                        {.rows = {.x = x.f32(),
                                  .x_stride = x.stride,
                                  .gamma = w.gamma.as<float>(),
                                  .beta = w.beta.as<float>(),
                                  .y = y.dtype == DType::f32 ? y.f32() : nullptr,
                                  .y_stride = y.stride,
                                  .rows = x.rows,
                                  .columns = x.columns,
                                  .epsilon = w.epsilon,
                                  .y_bf16 = copy.dtype == DType::f32 ? nullptr : static_cast<uint16_t*>(copy.data),
                                  .y_bf16_stride = copy.stride},
                         .copy_type = copy.dtype,
                         .copy_factor = copy.factor});
}

void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads) {
  const auto entry = q.dtype == DType::f32 ? ex.device->attention : ex.device->attention_half;
  entry(ex.stream, batch(ex, out, q, k, v, sequences, heads));
}

void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads,
               const AttentionTerms& t) {
  AttentionBatchArgs args = batch(ex, out, q, k, v, sequences, heads);
  if (t.key_head_step != 0) args.key_head_step = t.key_head_step;
  args.full = true;
  args.bias = t.bias;
  args.bias_item = t.bias_item;
  args.bias_query = t.bias_query;
  args.causal = t.causal;
  args.causal_first = t.causal_first;
  args.distances = t.distances;
  args.distance_of_first = t.distance_of_first;
  args.distance_step = t.distance_step;
  args.distances_of_keys = t.distances_of_keys;
  args.head_scale = t.head_scale;
  args.weights = t.weights;
  ex.device->attention(ex.stream, args);
}

void gather_rows(Exec& ex, Tensor y, Tensor x, const int64_t* rows) {
  ex.device->gather_rows(ex.stream, {.x_type = x.dtype,
                                     .x = x.data,
                                     .x_stride = x.stride,
                                     .rows = staged(ex, rows),
                                     .y_type = y.dtype,
                                     .y_factor = y.factor,
                                     .y = y.data,
                                     .y_stride = y.stride,
                                     .count = y.rows,
                                     .columns = y.columns});
}

void store_heads(Exec& ex, const HeadBlocks& blocks, Tensor x) {
  ex.device->store_heads(ex.stream, {blocks, x.f32(), x.stride, x.columns / blocks.heads});
}

void l2_normalize(Exec& ex, Tensor y, Tensor x) {
  ex.device->l2_normalize(ex.stream, {.x = x.f32(),
                                      .x_stride = x.stride,
                                      .y = y.f32(),
                                      .y_stride = y.stride,
                                      .rows = x.rows,
                                      .columns = x.columns,
                                      .activation = Activation::linear});
}

void embed(Exec& ex, Tensor y, const float* word, const float* type, const float* position, const int32_t* ids,
           const int32_t* type_ids, const int32_t* position_ids) {
  ex.device->embed(ex.stream, {.word = word,
                               .type = type,
                               .position = position,
                               .ids = staged(ex, ids),
                               .type_ids = staged(ex, type_ids),
                               .position_ids = staged(ex, position_ids),
                               .y = y.f32(),
                               .y_stride = y.stride,
                               .rows = y.rows,
                               .columns = y.columns});
}

void add_periodic(Exec& ex, Tensor y, const float* table, int64_t period) {
  ex.device->add_periodic(ex.stream, {.table = table,
                                      .period = period,
                                      .first = 0,
                                      .y = y.f32(),
                                      .y_stride = y.stride,
                                      .rows = y.rows,
                                      .columns = y.columns});
}

void patches(Exec& ex, Tensor y, int64_t items, const PatchSource& s) {
  const int64_t rows = y.rows / items;
  const auto entry = s.u8 ? ex.device->patches_u8 : ex.device->patches_f32;
  entry(ex.stream, {.item = {.pixels = s.resident ? s.pixels : staged(ex, static_cast<const char*>(s.pixels)),
                             .table = staged(ex, s.table),
                             .width = s.width,
                             .height = s.height,
                             .channels = s.channels,
                             .patch = s.patch,
                             .first_row = 0,
                             .rows = rows - 1,
                             .y = y.data,
                             .y_stride = y.stride},
                    .y_type = y.dtype,
                    .items = items,
                    .item_rows = rows,
                    .item_bytes = s.height * s.width * s.channels * (s.u8 ? 1 : int64_t{sizeof(float)}),
                    .class_row = true});
}

void resize(Exec& ex, ResizeBatchArgs pictures) {
  pictures.staged = staged(ex, pictures.staged);
  pictures.pictures = staged(ex, pictures.pictures);
  ex.device->resize(ex.stream, pictures);
}

void similarity(Exec& ex, Tensor y, Tensor x, Tensor z, float scale) {
  ex.device->similarity(ex.stream, {.x = x.f32(),
                                    .x_stride = x.stride,
                                    .z = z.f32(),
                                    .z_stride = z.stride,
                                    .y = y.f32(),
                                    .y_stride = y.stride,
                                    .rows = x.rows,
                                    .columns = z.rows,
                                    .k = x.columns,
                                    .scale = scale});
}

}  // namespace tw::on_device
