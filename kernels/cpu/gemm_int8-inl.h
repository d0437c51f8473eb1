// Eight-bit products over the same tile, and the pass that makes their activations. Contracts: kernels/kernel_table.h.
#pragma once

#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/rows-inl.h"

namespace tw {
namespace {

// From exact sums of bytes to memory.
template <class P, int MR, int NS>
TUWEN_INLINE void finish_int8(const Tile<P, MR, NS>& sums, const LinearInt8Args& p, int64_t row, int64_t column) {
  using V = typename P::Float;
  constexpr int kVectors = Tile<P, MR, NS>::kVectors;
  Tile<F32Product<V>, MR, NS> acc;
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) {
    const int64_t c = column + j * V::kLanes;
    const V w_scale = V::load(p.w_scale + c);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
      acc.at[i][j] = P::to_float(sums.at[i][j], p.x_zero[row + i], p.w_sum + c) * (w_scale * V(p.x_scale[row + i]));
  }
  finish_tile(acc, p, row, column);
}

template <class P, int MR, int NS, int Lines>
__attribute__((noinline)) void linear_int8_tile(const LinearInt8Args& p, int64_t row, int64_t column,
                                                Prefetch<Lines> prefetch) {
  Tile<P, MR, NS> sums;
  clear_tile(sums);
  multiply_tile(sums, reinterpret_cast<const char*>(p.x + row * p.x_stride), p.x_stride,
                reinterpret_cast<const char*>(p.weights + column * p.k), kStrip * p.k, p.k / kGroupBytes, prefetch);
  finish_int8(sums, p, row, column);
}

template <class P, int MaxNS>
void linear_int8_kernel(const LinearInt8Args& p) {
  for_each_tile<MaxNS>(p.rows, p.columns, reinterpret_cast<const char*>(p.weights), kStrip * p.k, p.k / kGroupBytes,
                       reinterpret_cast<const char*>(p.next),
                       [&](auto mr, auto ns, int64_t row, int64_t column, auto prefetch) {
                         linear_int8_tile<P, decltype(mr)::value, decltype(ns)::value>(p, row, column, prefetch);
                       });
}

// One row of a quantisation; load(i, lanes) gives its numbers, `following` is where the next row's come from. Lanes
// that take no part must load as zero.
template <class V, class T, class Load>
TUWEN_INLINE void quantize_row(const QuantizeArgs& p, int64_t row, const T* following, Load load) {
  uint8_t* y = p.y + row * p.y_stride;
  // 0 x is NaN for an infinity or a NaN, which min() and max() might lose.
  Parts<V> below(0.0f), above(0.0f), poison(0.0f);
  for_each_vector_in_turn<V, kParts>(p.columns, [&](int64_t i, auto lanes, int part) {
    __builtin_prefetch(following + i);  // another core may have written it
    const V v = load(i, lanes);
    below[part] = min(below[part], v), above[part] = max(above[part], v);
    poison[part] = fma(v, V(0.0f), poison[part]);
  });
  const float bottom = -min_lane(below), range = max_lane(above) + bottom, bad = sum(poison);
  const float inverse = bad == 0.0f && range > 0 ? 255.0f / range : 0.0f;
  const auto zero = static_cast<int32_t>(bad == 0.0f ? bottom * inverse + 0.5f : 0.0f);
  p.x_scale[row] = range * (1.0f / 255.0f) + bad;
  p.x_zero[row] = zero;
  const V factor(inverse);
  for_each_vector<V>(p.columns, [&](int64_t i, auto lanes) {
    store_u8(y + i, bad == 0.0f ? load(i, lanes) * factor : V(0.0f), zero, lanes);
  });
  for (int64_t i = p.columns; i < p.y_columns; ++i) y[i] = 0;
}

template <class V>
void quantize_kernel(const QuantizeArgs& p) {
  const auto smoothed = [&](V v, int64_t i, auto lanes) {
    return p.multiplier != nullptr ? v * V::load(p.multiplier + i, lanes) : v;
  };
  for (int64_t r = 0; r < p.rows; ++r) {
    if (p.x_is_bf16) {
      const uint16_t* x = static_cast<const uint16_t*>(p.x) + r * p.x_stride;
      quantize_row<V>(p, r, x + p.x_stride,
                      [&](int64_t i, auto lanes) { return smoothed(load_bf16(V(0.0f), x + i, lanes), i, lanes); });
    } else {
      const float* x = static_cast<const float*>(p.x) + r * p.x_stride;
      quantize_row<V>(p, r, x + p.x_stride,
                      [&](int64_t i, auto lanes) { return smoothed(V::load(x + i, lanes), i, lanes); });
    }
  }
}

}  // namespace
}  // namespace tw
