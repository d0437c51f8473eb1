// The steps of attention whose keys and values are taken out of it. Contracts: kernels/kernel_table.h.
#pragma once

#include <math.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/kernel_table.h"

namespace tw {
namespace {

template <class V>
void absorb_keys_kernel(const AbsorbKeysArgs& p) {
  const int64_t end = p.first + p.count, strips = p.width / kStrip;
  for (int64_t h = 0; h < (p.heads + kStrip - 1) / kStrip * kStrip; ++h) {
    float* u = p.u + h / kStrip * kStrip * p.k + h % kStrip;
    const float* q = p.q + h * p.width;
    const float* w = p.weights + h * p.width * p.k;
    for (int64_t c = p.first; c < end; ++c) {
      V total(0.0f);
      for (int64_t s = 0; h < p.heads && s < strips; ++s) {
        const float* line = w + (s * p.k + c) * kStrip;
        for (int64_t i = 0; i < kStrip; i += V::kLanes)
          total = fma(V::load(line + i), V::load(q + s * kStrip + i), total);
      }
      u[c * kStrip] = sum(total);
    }
  }
}

template <class V>
void softmax_columns_kernel(const SoftmaxColumnsArgs& p) {
  const V scale(p.scale);
  for_each_vector<V>(p.columns, [&](int64_t c, auto lanes) {
    float* x = p.x + c;
    V largest(-HUGE_VALF), total(0.0f);
    for (int64_t r = 0; r < p.rows; ++r) largest = max(largest, V::load(x + r * p.x_stride, lanes));
    const V offset = largest * scale;
    for (int64_t r = 0; r < p.rows; ++r) {
      const V e = exp(V::load(x + r * p.x_stride, lanes) * scale - offset);
      e.store(x + r * p.x_stride, lanes);
      total = total + e;
    }
    const V factor = V(1.0f) / total;
    for (int64_t r = 0; r < p.rows; ++r) (V::load(x + r * p.x_stride, lanes) * factor).store(x + r * p.x_stride, lanes);
  });
}

// A tile of heads by vectors of columns, its sums in registers.
template <class V, int Heads, int Vectors, class Lanes>
__attribute__((noinline)) void weigh_tile(const WeighRowsArgs& p, int64_t head, int64_t column, Lanes lanes) {
  V sums[static_cast<size_t>(Heads)][static_cast<size_t>(Vectors)];
#pragma GCC unroll 16
  for (int h = 0; h < Heads; ++h)
#pragma GCC unroll 16
    for (int v = 0; v < Vectors; ++v) sums[h][v] = V(0.0f);
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* weight = p.p + r * p.p_stride + head;
    const float* x = p.x + r * p.x_stride + column;
    V row[static_cast<size_t>(Vectors)];
#pragma GCC unroll 16
    for (int v = 0; v < Vectors; ++v) row[v] = V::load(x + v * V::kLanes, lanes);
#pragma GCC unroll 16
    for (int h = 0; h < Heads; ++h) {
      const V w(weight[h]);
#pragma GCC unroll 16
      for (int v = 0; v < Vectors; ++v) sums[h][v] = fma(w, row[v], sums[h][v]);
    }
  }
#pragma GCC unroll 16
  for (int h = 0; h < Heads; ++h)
#pragma GCC unroll 16
    for (int v = 0; v < Vectors; ++v) sums[h][v].store(p.y + (head + h) * p.y_stride + column + v * V::kLanes, lanes);
}

// MaxVectors: 4 in 32 registers, 2 in 16.
template <class V, int MaxVectors>
void weigh_rows_kernel(const WeighRowsArgs& p) {
  constexpr int kMostHeads = 6;
  constexpr int64_t kWide = MaxVectors * V::kLanes;
  const int64_t tiles = (p.heads + kMostHeads - 1) / kMostHeads;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t head = p.heads * t / tiles;
    with_count<1, kMostHeads>(p.heads * (t + 1) / tiles - head, [&](auto heads) {
      constexpr int kHeads = decltype(heads)::value;
      int64_t column = 0;
      for (; column + kWide <= p.columns; column += kWide) weigh_tile<V, kHeads, MaxVectors>(p, head, column, All{});
      for_each_vector<V>(p.columns - column,
                         [&](int64_t c, auto lanes) { weigh_tile<V, kHeads, 1>(p, head, column + c, lanes); });
    });
  }
}

}  // namespace
}  // namespace tw
