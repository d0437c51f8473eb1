// Fused attention of one head: K and V are packed once, then each tile of queries goes through
// scores -> softmax -> weighted sum of V while its score rows are in L1: whole ones, or of many keys a block at a time.
// Both products use the tile of gemm-inl.h.
#pragma once

#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/rows-inl.h"

namespace tw {
namespace {

// out[m, 0:columns] = a b for all rows, b in strips, or added to it; stores whole strips when `columns` says so.
template <class V, int MaxNS>
TUWEN_INLINE void multiply(float* out, int64_t out_stride, const float* a, int64_t a_stride, const float* b, int64_t k,
                           int64_t rows, int64_t columns, bool add = false) {
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
                           .add_to_output = add});
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

// V of keys [first, first + count) in strips of 16 columns, [count][16] each.
template <class V>
TUWEN_INLINE void pack_values(float* values, const AttentionArgs& p, int64_t first, int64_t count) {
  const int64_t value_strips = (p.width + kStrip - 1) / kStrip;
  for (int64_t s = 0; s < value_strips; ++s) {
    const int64_t columns = p.width - s * kStrip < kStrip ? p.width - s * kStrip : kStrip;
    for (int64_t j = 0; j < count; ++j) {
      float* line = values + (s * count + j) * kStrip;
      const float* row = p.v + (first + j) * p.v_stride + s * kStrip;
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

// row = factor row
template <class V>
TUWEN_INLINE void scale_row(float* row, int64_t n, float factor) {
  for_each_vector<V>(n, [&](int64_t c, auto lanes) { (V::load(row + c, lanes) * V(factor)).store(row + c, lanes); });
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
  pack_values<V>(values, p, 0, p.keys);

  for (int64_t first = 0; first < p.queries; first += kAttentionRows) {
    const int64_t rows = p.queries - first < kAttentionRows ? p.queries - first : kAttentionRows;
    multiply<V, MaxNS>(scores, keys_padded, p.q + first * p.q_stride, p.q_stride, keys, p.width, rows, p.keys);
    float factor[kAttentionRows];
    for (int64_t i = 0; i < rows; ++i) factor[i] = softmax(scores + i * keys_padded, first + i);
    float* out = p.out + first * p.out_stride;
    multiply<V, MaxNS>(out, p.out_stride, scores, keys_padded, values, p.keys, rows, p.width);
    for (int64_t i = 0; i < rows; ++i) scale_row<V>(out + i * p.out_stride, p.width, factor[i]);
  }
}

// Calls body(first key, keys) for each block of keys, or once where whole score rows are kept.
template <class Body>
TUWEN_INLINE void for_each_key_block(int64_t keys, Body body) {
  if (keys <= kAttentionWholeRows) return body(0, keys);
  for (int64_t first = 0; first < keys;) {
    const int64_t end = end_of_key_block(first, keys);
    body(first, end - first);
    first = end;
  }
}

// A softmax that meets its row in blocks (Milakov, Gimelshein 2018, arXiv:1805.02867).
struct RunningSoftmax {
  float largest = -HUGE_VALF, sum = 0.0f;

  // A block with this largest score comes in: what everything summed so far is to be multiplied by.
  template <class V>
  TUWEN_INLINE float meet(V, float of_block) {
    if (!(of_block > largest)) return 1.0f;
    const float factor = largest == -HUGE_VALF ? 0.0f : max_lane(exp(V(largest - of_block)));
    largest = of_block;
    sum *= factor;
    return factor;
  }
  // What is subtracted from scores. Of scores that are all minus infinity nothing can be.
  float offset() const { return largest == -HUGE_VALF ? 0.0f : largest; }
};

// Blocks of keys one after the other: their scores stay in L1, and what a tile of queries has summed up waits in out.
template <class V, int MaxNS>
TUWEN_INLINE void attend_in_blocks(const AttentionArgs& p) {
  const int64_t keys_padded = (p.keys + kStrip - 1) / kStrip * kStrip;
  const int64_t width_padded = (p.width + kStrip - 1) / kStrip * kStrip;
  float* keys = p.scratch;                       // K^T: strips of 16 keys, [width][16] each
  float* values = keys + keys_padded * p.width;  // V of each block: strips of 16 columns, [keys of the block][16] each
  float* scores = values + width_padded * p.keys;  // [kAttentionRows, kMostKeysInBlock]

  pack_keys<V>(keys, p);
  for_each_key_block(
      p.keys, [&](int64_t first, int64_t count) { pack_values<V>(values + first * width_padded, p, first, count); });

  for (int64_t row = 0; row < p.queries; row += kAttentionRows) {
    const int64_t rows = p.queries - row < kAttentionRows ? p.queries - row : kAttentionRows;
    float* out = p.out + row * p.out_stride;
    RunningSoftmax softmax[kAttentionRows];
    for_each_key_block(p.keys, [&](int64_t first, int64_t count) {
      multiply<V, MaxNS>(scores, kMostKeysInBlock, p.q + row * p.q_stride, p.q_stride, keys + first * p.width, p.width,
                         rows, count);
      for (int64_t i = 0; i < rows; ++i) {
        float* of_row = scores + i * kMostKeysInBlock;
        const float factor = softmax[i].meet(V(0.0f), largest_scaled<V>(of_row, count, p.scale));
        if (first > 0 && factor != 1.0f) scale_row<V>(out + i * p.out_stride, p.width, factor);
        softmax[i].sum += exponentials<V>(of_row, of_row, count, p.scale, softmax[i].offset());
      }
      multiply<V, MaxNS>(out, p.out_stride, scores, kMostKeysInBlock, values + first * width_padded, count, rows,
                         p.width, first > 0);
    });
    for (int64_t i = 0; i < rows; ++i) scale_row<V>(out + i * p.out_stride, p.width, 1.0f / softmax[i].sum);
  }
}

template <class V, int MaxNS>
void attention_kernel(const AttentionArgs& p) {
  if (p.keys > kAttentionWholeRows) return attend_in_blocks<V, MaxNS>(p);
  attend<V, MaxNS>(p, [&](float* row, int64_t) {
    const float largest = largest_scaled<V>(row, p.keys, p.scale);
    return 1.0f / exponentials<V>(row, row, p.keys, p.scale, largest);
  });
}

}  // namespace
}  // namespace tw
