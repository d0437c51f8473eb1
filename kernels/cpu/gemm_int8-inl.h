// Eight-bit products over the same tile, and the pass that makes their activations. Contracts: kernels/kernel_table.h.
#pragma once

#include "kernels/cpu/gemm-inl.h"

namespace tw {
namespace {

template <class P, int MR, int NS>
__attribute__((noinline)) void linear_int8_tile(const LinearInt8Args& p, int64_t row, int64_t column,
                                                Prefetch prefetch) {
  using V = typename P::Float;
  constexpr int kVectors = Tile<P, MR, NS>::kVectors;
  Tile<P, MR, NS> sums;
  multiply_tile(sums, reinterpret_cast<const char*>(p.x + row * p.x_stride), p.x_stride,
                reinterpret_cast<const char*>(p.weights + column * p.k), kStrip * p.k, p.k / kGroupBytes, prefetch);
  Tile<F32Product<V>, MR, NS> acc;
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    const int64_t c = column + j * V::kLanes;
    const V w_scale = V::load(p.w_scale + c);
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i)
      acc.at[i][j] = P::to_float(sums.at[i][j], p.correction + c) * (w_scale * V(p.x_scale[row + i]));
  }
  finish_tile(acc, p, row, column);
}

template <class P, int MaxNS>
void linear_int8_kernel(const LinearInt8Args& p) {
  for_each_tile<MaxNS>(p.rows, p.columns, reinterpret_cast<const char*>(p.weights), kStrip * p.k,
                       reinterpret_cast<const char*>(p.next),
                       [&](auto mr, auto ns, int64_t row, int64_t column, Prefetch prefetch) {
                         linear_int8_tile<P, decltype(mr)::value, decltype(ns)::value>(p, row, column, prefetch);
                       });
}

template <class V>
void quantize_kernel(const QuantizeArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    uint8_t* y = p.y + r * p.y_stride;
    const auto value = [&](int64_t i, auto lanes) {
      const V v = V::load(x + i, lanes);
      return p.multiplier != nullptr ? v * V::load(p.multiplier + i, lanes) : v;
    };
    V largest(0.0f), poison(0.0f);  // 0 x is NaN for an infinity or a NaN, which max() might lose
    for_each_vector<V>(p.columns, [&](int64_t i, auto lanes) {
      const V v = value(i, lanes);
      largest = max(largest, abs(v));
      poison = fma(v, V(0.0f), poison);
    });
    const float top = max_lane(largest), bad = sum(poison);
    p.x_scale[r] = top * (1.0f / 127.0f) + bad;
    const V inverse(bad == 0.0f && top > 0 ? 127.0f / top : 0.0f);
    for_each_vector<V>(p.columns, [&](int64_t i, auto lanes) {
      const V scaled = round(value(i, lanes) * inverse);
      store_u8(y + i, bad == 0.0f ? scaled : V(0.0f), lanes);
    });
    for (int64_t i = p.columns; i < p.y_columns; ++i) y[i] = 128;
  }
}

}  // namespace
}  // namespace tw
