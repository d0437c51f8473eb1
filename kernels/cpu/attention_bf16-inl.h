// Fused attention of one head on bf16 numbers, built as attention-inl.h is, for CPUs that multiply bf16: both products
// are the table's own bf16 product, on K and V packed as its weights.
#pragma once

#include "kernels/cpu/attention-inl.h"

namespace tw {
namespace {

TUWEN_INLINE void clear(uint16_t* p, int64_t count) { __builtin_memset(p, 0, static_cast<size_t>(count) * 2); }

// K^T in strips of 16 keys, [depth / 2][16][2]: turning 4-byte pairs turns the matrix. Missing keys and the rest of the
// depth are zero.
template <class V>
TUWEN_INLINE void pack_keys(uint16_t* packed, const AttentionBf16Args& p, int64_t depth) {
  const int64_t pairs = p.width / 2;
  for (int64_t j = 0; j < p.keys; j += kStrip) {
    const int count = static_cast<int>(p.keys - j < kStrip ? p.keys - j : kStrip);
    uint16_t* strip = packed + j * depth;
    const uint16_t* rows = p.k + j * p.k_stride;
    if (p.width % 2 == 0 && p.k_stride % 2 == 0) {
      for (int64_t c = 0; c < pairs; c += 16)
        transpose_16x16(V(0.0f), reinterpret_cast<float*>(strip + c * 2 * kStrip),
                        reinterpret_cast<const float*>(rows + c * 2), p.k_stride / 2, count,
                        First{static_cast<int>(pairs - c < 16 ? pairs - c : 16)});
      clear(strip + p.width * kStrip, (depth - p.width) * kStrip);
    } else {
      clear(strip, depth * kStrip);
      for (int64_t c = 0; c < p.width; ++c)
        for (int64_t i = 0; i < count; ++i) strip[(c / 2 * kStrip + i) * 2 + c % 2] = rows[i * p.k_stride + c];
    }
  }
}

// V of keys [first, first + count), count even but for the last block, in strips of 16 columns, [depth / 2][16][2]:
// pairs of rows become rows of pairs.
template <class V>
TUWEN_INLINE void pack_values(uint16_t* packed, const AttentionBf16Args& p, int64_t first, int64_t count,
                              int64_t depth) {
  const uint16_t zeros[kStrip] = {};
  for (int64_t s = 0; s < p.width; s += kStrip) {
    uint16_t* strip = packed + s * depth;
    for (int64_t j = 0; j < count; j += 2) {
      const uint16_t* even = p.v + (first + j) * p.v_stride + s;
      const bool last = j + 1 == count;
      for (int64_t c = 0; c < kStrip; c += V::kLanes) {
        uint16_t* out = strip + (j / 2 * kStrip + c) * 2;
        const uint16_t* odd = last ? zeros : even + p.v_stride + c;
        const int64_t left = p.width - s - c;
        if (left >= V::kLanes) {
          interleave_bf16(V(0.0f), out, even + c, odd);
        } else if (left > 0) {
          interleave_bf16(V(0.0f), out, even + c, odd, First{static_cast<int>(left)});
        } else {
          clear(out, 2 * V::kLanes);
        }
      }
    }
    const int64_t pairs = (count + 1) / 2;
    clear(strip + pairs * 2 * kStrip, (depth - pairs * 2) * kStrip);
  }
}

template <class V, void (*Linear)(const LinearBf16Args&)>
void attention_bf16_kernel(const AttentionBf16Args& p) {
  const int64_t keys_padded = (p.keys + kStrip - 1) / kStrip * kStrip, depth = bf16_depth(p.width),
                width_padded = (p.width + kStrip - 1) / kStrip * kStrip;
  const int64_t block = p.keys > kAttentionWholeRows ? kMostKeysInBlock : p.keys;
  const int64_t block_padded = (block + kStrip - 1) / kStrip * kStrip, block_depth = bf16_depth(block);
  uint16_t* keys = reinterpret_cast<uint16_t*>(p.scratch);         // [keys_padded / 16] strips
  uint16_t* values = keys + keys_padded * depth;                   // [width_padded / 16] strips of each block
  uint16_t* weights = values + width_padded * bf16_depth(p.keys);  // [rows, block_depth]
  uint16_t* queries =
      weights + kAttentionBf16Rows * block_depth;  // [rows, depth], where q itself cannot be read so far
  float* scores = reinterpret_cast<float*>(queries + kAttentionBf16Rows * depth);  // [rows, block_padded]
  float* sums = scores + kAttentionBf16Rows * block_padded;                        // [rows, width_padded]
  pack_keys<V>(keys, p, depth);
  for_each_key_block(p.keys, [&](int64_t key, int64_t count) {
    pack_values<V>(values + key * width_padded, p, key, count, bf16_depth(count));
  });

  for (int64_t first = 0; first < p.queries; first += kAttentionBf16Rows) {
    const int64_t rows = p.queries - first < kAttentionBf16Rows ? p.queries - first : kAttentionBf16Rows;
    const uint16_t* q = p.q + first * p.q_stride;
    int64_t q_stride = p.q_stride;
    if (depth != p.width) {
      for (int64_t i = 0; i < rows; ++i) {
        __builtin_memcpy(queries + i * depth, q + i * q_stride, static_cast<size_t>(p.width) * 2);
        clear(queries + i * depth + p.width, depth - p.width);
      }
      q = queries, q_stride = depth;
    }
    RunningSoftmax softmax[kAttentionBf16Rows];
    for_each_key_block(p.keys, [&](int64_t key, int64_t count) {
      const int64_t count_depth = bf16_depth(count);
      LinearBf16Args product{.x = q,
                             .x_stride = q_stride,
                             .weights = keys + key * depth,
                             .bias = nullptr,
                             .y = scores,
                             .y_stride = block_padded,
                             .rows = rows,
                             .columns = (count + kStrip - 1) / kStrip * kStrip,
                             .k = depth,
                             .activation = Activation::linear,
                             .add_to_output = false};
      Linear(product);
      for (int64_t i = 0; i < rows; ++i) {
        const float* row = scores + i * block_padded;
        const float factor = softmax[i].meet(V(0.0f), largest_scaled<V>(row, count, p.scale));
        if (key > 0 && factor != 1.0f) scale_row<V>(sums + i * width_padded, width_padded, factor);
        uint16_t* weight = weights + i * block_depth;
        softmax[i].sum += weights_of<V>(p, row, count, softmax[i].offset(),
                                        [&](int64_t j, V e, auto lanes) { store_bf16(weight + j, e, lanes); });
        clear(weights + i * block_depth + count, count_depth - count);
      }
      product.x = weights, product.x_stride = block_depth, product.weights = values + key * width_padded;
      product.y = sums, product.y_stride = width_padded, product.columns = width_padded, product.k = count_depth;
      product.add_to_output = key > 0;
      Linear(product);
    });
    for (int64_t i = 0; i < rows; ++i) finish_row<V>(p, sums + i * width_padded, first + i, 1.0f / softmax[i].sum);
  }
}

}  // namespace
}  // namespace tw
