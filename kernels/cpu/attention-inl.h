// Fused attention of one head: K and V are packed once, then each tile of queries goes through
// scores -> softmax -> weighted sum of V while its score rows are in L1: whole ones, or of many keys a block at a time.
// Both products use the tile of gemm-inl.h. What is bf16 is widened on the way, for CPUs that multiply f32 faster.
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

// y[m, 0 : 16 NS] = a b of MR rows of a and NS strips of b.
template <class V, int MR, int NS>
__attribute__((noinline)) void score_tile(float* y, int64_t y_stride, const float* a, int64_t a_stride, const float* b,
                                          int64_t k) {
  constexpr int kVectors = Tile<F32Product<V>, MR, NS>::kVectors;
  Tile<F32Product<V>, MR, NS> acc;
  clear_tile(acc);
  Prefetch<0> nothing{};
  multiply_tile(acc, reinterpret_cast<const char*>(a), a_stride * kGroupBytes, reinterpret_cast<const char*>(b),
                kLineBytes * k, k, nothing);
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) acc.at[i][j].store(y + i * y_stride + j * V::kLanes);
}

// y[m, :] = a b for `rows` rows and whole strips of b: a product of so short a k that whatever a tile does besides
// multiplying shows, so it does nothing else.
template <class V, int MaxNS>
TUWEN_INLINE void scores_of(float* y, int64_t y_stride, const float* a, int64_t a_stride, const float* b, int64_t k,
                            int64_t rows, int64_t strips) {
  constexpr int kRows = MaxNS < 4 ? 6 : 12, kStrips = MaxNS < 4 ? 1 : 2;
  const int64_t tiles = (rows + kRows - 1) / kRows;
  for (int64_t t = 0, row = 0; t < tiles; ++t) {
    const int64_t end = rows * (t + 1) / tiles;
    with_count<1, kRows>(end - row, [&](auto mr) {
      constexpr int kTileRows = decltype(mr)::value;
      float* to = y + row * y_stride;
      const float* from = a + row * a_stride;
      int64_t s = 0;
      for (; s + kStrips <= strips; s += kStrips)
        score_tile<V, kTileRows, kStrips>(to + s * kStrip, y_stride, from, a_stride, b + s * kStrip * k, k);
      if (s < strips) score_tile<V, kTileRows, 1>(to + s * kStrip, y_stride, from, a_stride, b + s * kStrip * k, k);
    });
    row = end;
  }
}

template <class V, class Lanes>
TUWEN_INLINE V widened(V, const float* p, Lanes lanes) {
  return V::load(p, lanes);
}
template <class V, class Lanes>
TUWEN_INLINE V widened(V, const uint16_t* p, Lanes lanes) {
  return load_bf16(V(0.0f), p, lanes);
}

// y[0 : n] = x[0 : n], f32 or bf16.
template <class V, class T>
TUWEN_INLINE void widen_row(float* y, const T* x, int64_t n) {
  for_each_vector<V>(n, [&](int64_t c, auto lanes) { widened(V(0.0f), x + c, lanes).store(y + c, lanes); });
}

// K^T in strips of 16 keys, [width][16] each.
template <class V, class Args>
TUWEN_INLINE void pack_keys(float* keys, const Args& p) {
  constexpr bool kIsF32 = sizeof(*p.k) == sizeof(float);
  for (int64_t j = 0; j < p.keys; j += kStrip) {
    const int count = static_cast<int>(p.keys - j < kStrip ? p.keys - j : kStrip);
    for (int64_t c = 0; c < p.width; c += 16) {
      const int columns = static_cast<int>(p.width - c < 16 ? p.width - c : 16);
      const auto* rows = p.k + j * p.k_stride + c;
      float* strip = keys + j * p.width + c * kStrip;
      if constexpr (kIsF32) {
        transpose_16x16(V(0.0f), strip, rows, p.k_stride, count, First{columns});
      } else {
        alignas(64) float wide[16 * 16];
        for (int i = 0; i < count; ++i) widen_row<V>(wide + i * 16, rows + i * p.k_stride, columns);
        transpose_16x16(V(0.0f), strip, wide, 16, count, First{columns});
      }
    }
  }
}

// V of keys [first, first + count) in strips of 16 columns, [count][16] each.
template <class V, class Args>
TUWEN_INLINE void pack_values(float* values, const Args& p, int64_t first, int64_t count) {
  const int64_t value_strips = (p.width + kStrip - 1) / kStrip;
  for (int64_t s = 0; s < value_strips; ++s) {
    const int64_t columns = p.width - s * kStrip < kStrip ? p.width - s * kStrip : kStrip;
    for (int64_t j = 0; j < count; ++j) {
      float* line = values + (s * count + j) * kStrip;
      const auto* row = p.v + (first + j) * p.v_stride + s * kStrip;
      for (int64_t c = 0; c < kStrip; c += V::kLanes) {
        const int64_t left = columns - c;
        const V v = left >= V::kLanes ? widened(V(0.0f), row + c, All{})
                    : left > 0        ? widened(V(0.0f), row + c, First{static_cast<int>(left)})
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

// What a tile of queries reads and sums up, in f32: rows of the caller's, or copies of bf16.
struct TileRows {
  const float* q;
  int64_t q_stride;
  float* out;
  int64_t out_stride;
};
template <class V>
TUWEN_INLINE TileRows tile_rows(const AttentionArgs& p, int64_t first, int64_t, float*) {
  return {p.q + first * p.q_stride, p.q_stride, p.out + first * p.out_stride, p.out_stride};
}
template <class V>
TUWEN_INLINE TileRows tile_rows(const AttentionBf16Args& p, int64_t first, int64_t rows, float* room) {
  const int64_t stride = (p.width + kStrip - 1) / kStrip * kStrip;
  for (int64_t i = 0; i < rows; ++i) widen_row<V>(room + i * stride, p.q + (first + i) * p.q_stride, p.width);
  return {room, stride, room + kAttentionRows * stride, stride};
}

// out[query, :] = factor sums
template <class V>
TUWEN_INLINE void finish_row(const AttentionArgs& p, float* sums, int64_t, float factor) {
  scale_row<V>(sums, p.width, factor);
}
template <class V>
TUWEN_INLINE void finish_row(const AttentionBf16Args& p, const float* sums, int64_t query, float factor) {
  uint16_t* out = p.out + query * p.out_stride;
  for_each_vector<V>(p.width,
                     [&](int64_t c, auto lanes) { store_bf16(out + c, V::load(sums + c, lanes) * V(factor), lanes); });
}

// All queries, a tile of rows at a time. softmax(row, query) turns a row of scores into weights in place and returns
// the factor that they still lack.
template <class V, int MaxNS, class Args, class Softmax>
TUWEN_INLINE void attend(const Args& p, Softmax softmax) {
  const int64_t keys_padded = (p.keys + kStrip - 1) / kStrip * kStrip;
  float* keys = p.scratch;                       // K^T: strips of 16 keys, [width][16] each
  float* values = keys + keys_padded * p.width;  // V: strips of 16 columns, [keys][16] each
  const int64_t value_strips = (p.width + kStrip - 1) / kStrip;
  float* scores = values + value_strips * kStrip * p.keys;  // [kAttentionRows, keys_padded]
  float* room = scores + kAttentionRows * keys_padded;      // of tile_rows

  pack_keys<V>(keys, p);
  pack_values<V>(values, p, 0, p.keys);

  for (int64_t first = 0; first < p.queries; first += kAttentionRows) {
    const int64_t rows = p.queries - first < kAttentionRows ? p.queries - first : kAttentionRows;
    const TileRows tile = tile_rows<V>(p, first, rows, room);
    scores_of<V, MaxNS>(scores, keys_padded, tile.q, tile.q_stride, keys, p.width, rows, keys_padded / kStrip);
    float factor[kAttentionRows];
    for (int64_t i = 0; i < rows; ++i) factor[i] = softmax(scores + i * keys_padded, first + i);
    multiply<V, MaxNS>(tile.out, tile.out_stride, scores, keys_padded, values, p.keys, rows, p.width);
    for (int64_t i = 0; i < rows; ++i) finish_row<V>(p, tile.out + i * tile.out_stride, first + i, factor[i]);
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

// exp(scale x - largest) of scores, in place; returns the sum. It errs by a multiple of how far a score is below the
// largest, where it counts for little, and is 1 for that one.
template <class V>
TUWEN_INLINE float weights_of(const AttentionArgs& p, float* row, int64_t n, float largest) {
  return exponentials<V>(
      row, n, [factor = V(p.scale), offset = V(largest)](V v) { return exp2((v * factor - offset) * V(kLog2OfE)); },
      [row](int64_t i, V e, auto lanes) { e.store(row + i, lanes); });
}
// The same, as exact as results in bf16 ask; to store(i, number, lanes).
template <class V, class Store>
TUWEN_INLINE float weights_of(const AttentionBf16Args& p, const float* row, int64_t n, float largest, Store store) {
  const V factor(p.scale * kLog2OfE), offset(-largest * kLog2OfE);
  return exponentials<V>(
      row, n, [&](V v) { return exp2_roughly(fma(v, factor, offset)); }, store);
}
template <class V>
TUWEN_INLINE float weights_of(const AttentionBf16Args& p, float* row, int64_t n, float largest) {
  return weights_of<V>(p, row, n, largest, [row](int64_t i, V e, auto lanes) { e.store(row + i, lanes); });
}

// Blocks of keys one after the other: their scores stay in L1, and what a tile of queries has summed up waits.
template <class V, int MaxNS, class Args>
TUWEN_INLINE void attend_in_blocks(const Args& p) {
  const int64_t keys_padded = (p.keys + kStrip - 1) / kStrip * kStrip;
  const int64_t width_padded = (p.width + kStrip - 1) / kStrip * kStrip;
  float* keys = p.scratch;                       // K^T: strips of 16 keys, [width][16] each
  float* values = keys + keys_padded * p.width;  // V of each block: strips of 16 columns, [keys of the block][16] each
  float* scores = values + width_padded * p.keys;            // [kAttentionRows, kMostKeysInBlock]
  float* room = scores + kAttentionRows * kMostKeysInBlock;  // of tile_rows

  pack_keys<V>(keys, p);
  for_each_key_block(
      p.keys, [&](int64_t first, int64_t count) { pack_values<V>(values + first * width_padded, p, first, count); });

  for (int64_t row = 0; row < p.queries; row += kAttentionRows) {
    const int64_t rows = p.queries - row < kAttentionRows ? p.queries - row : kAttentionRows;
    const TileRows tile = tile_rows<V>(p, row, rows, room);
    RunningSoftmax softmax[kAttentionRows];
    for_each_key_block(p.keys, [&](int64_t first, int64_t count) {
      scores_of<V, MaxNS>(scores, kMostKeysInBlock, tile.q, tile.q_stride, keys + first * p.width, p.width, rows,
                          (count + kStrip - 1) / kStrip);
      for (int64_t i = 0; i < rows; ++i) {
        float* of_row = scores + i * kMostKeysInBlock;
        const float factor = softmax[i].meet(V(0.0f), largest_scaled<V>(of_row, count, p.scale));
        if (first > 0 && factor != 1.0f) scale_row<V>(tile.out + i * tile.out_stride, p.width, factor);
        softmax[i].sum += weights_of<V>(p, of_row, count, softmax[i].offset());
      }
      multiply<V, MaxNS>(tile.out, tile.out_stride, scores, kMostKeysInBlock, values + first * width_padded, count,
                         rows, p.width, first > 0);
    });
    for (int64_t i = 0; i < rows; ++i) finish_row<V>(p, tile.out + i * tile.out_stride, row + i, 1.0f / softmax[i].sum);
  }
}

// Args: AttentionArgs or AttentionBf16Args.
template <class V, int MaxNS, class Args>
void attention_kernel(const Args& p) {
  if (p.keys > kAttentionWholeRows) return attend_in_blocks<V, MaxNS>(p);
  attend<V, MaxNS>(p, [&](float* row, int64_t) {
    const float largest = largest_scaled<V>(row, p.keys, p.scale);
    return 1.0f / weights_of<V>(p, row, p.keys, largest);
  });
}

}  // namespace
}  // namespace tw
