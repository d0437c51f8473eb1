// Fused attention of one head: K and V are packed once, then each tile of queries goes through
// scores -> softmax -> weighted sum of V while its score rows are in L1. Both products use the tile of gemm-inl.h.
#pragma once

#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/rows-inl.h"

namespace tw {
namespace {

// out[m, 0:columns] = a b for all rows, b in strips; stores whole strips when `columns` says so.
template <class V, int MaxNS>
TUWEN_INLINE void multiply(float* out, int64_t out_stride, const float* a, int64_t a_stride, const float* b, int64_t k,
                           int64_t rows, int64_t columns) {
  linear_kernel<V, MaxNS>({.x = a,
                           .x_stride = a_stride,
                           .weights = b,
                           .bias = nullptr,
                           .y = out,
                           .y_stride = out_stride,
                           .rows = rows,
                           .columns = columns,
                           .k = k,
                           .activation = Activation::linear,
                           .add_to_output = false});
}

// K^T in strips of 16 keys, [width][16] each.
template <class V>
TUWEN_INLINE void pack_keys(float* keys, const AttentionArgs& p) {
  for (int64_t j = 0; j < p.keys; j += kStrip) {
    const int count = static_cast<int>(p.keys - j < kStrip ? p.keys - j : kStrip);
    for (int64_t c = 0; c < p.width; c += 16) {
      const int columns = static_cast<int>(p.width - c < 16 ? p.width - c : 16);
      transpose_16x16(V(0.0f), keys + j * p.width + c * kStrip, p.k + j * p.k_stride + c, p.k_stride, count,
                      First{columns});
    }
  }
}

// V in strips of 16 columns, [keys][16] each.
template <class V>
TUWEN_INLINE void pack_values(float* values, const AttentionArgs& p) {
  const int64_t value_strips = (p.width + kStrip - 1) / kStrip;
  for (int64_t s = 0; s < value_strips; ++s) {
    const int64_t columns = p.width - s * kStrip < kStrip ? p.width - s * kStrip : kStrip;
    for (int64_t j = 0; j < p.keys; ++j) {
      float* line = values + (s * p.keys + j) * kStrip;
      const float* row = p.v + j * p.v_stride + s * kStrip;
      for (int64_t c = 0; c < kStrip; c += V::kLanes) {
        const int64_t left = columns - c;
        const V v = left >= V::kLanes ? V::load(row + c)
                    : left > 0        ? V::load(row + c, First{static_cast<int>(left)})
                                      : V(0.0f);
        v.store(line + c);
      }
    }
  }
}

// All queries, a tile of rows at a time. softmax(row, query) turns a row of scores into weights in place and returns
// the factor that they still lack.
template <class V, int MaxNS, class Softmax>
TUWEN_INLINE void attend(const AttentionArgs& p, Softmax softmax) {
  const int64_t keys_padded = (p.keys + kStrip - 1) / kStrip * kStrip;
  float* keys = p.scratch;                       // K^T: strips of 16 keys, [width][16] each
  float* values = keys + keys_padded * p.width;  // V: strips of 16 columns, [keys][16] each
  const int64_t value_strips = (p.width + kStrip - 1) / kStrip;
  float* scores = values + value_strips * kStrip * p.keys;  // [kAttentionRows, keys_padded]

  pack_keys<V>(keys, p);
  pack_values<V>(values, p);

  for (int64_t first = 0; first < p.queries; first += kAttentionRows) {
    const int64_t rows = p.queries - first < kAttentionRows ? p.queries - first : kAttentionRows;
    multiply<V, MaxNS>(scores, keys_padded, p.q + first * p.q_stride, p.q_stride, keys, p.width, rows, p.keys);
    float factor[kAttentionRows];
    for (int64_t i = 0; i < rows; ++i) factor[i] = softmax(scores + i * keys_padded, first + i);
    float* out = p.out + first * p.out_stride;
    multiply<V, MaxNS>(out, p.out_stride, scores, keys_padded, values, p.keys, rows, p.width);
    for (int64_t i = 0; i < rows; ++i) {
      float* row = out + i * p.out_stride;
      for_each_vector<V>(
          p.width, [&](int64_t c, auto lanes) { (V::load(row + c, lanes) * V(factor[i])).store(row + c, lanes); });
    }
  }
}

template <class V, int MaxNS>
void attention_kernel(const AttentionArgs& p) {
  attend<V, MaxNS>(p, [&](float* row, int64_t) {
    const float largest = largest_scaled<V>(row, p.keys, p.scale);
    return 1.0f / exponentials<V>(row, row, p.keys, p.scale, largest);
  });
}

}  // namespace
}  // namespace tw
