// One level of Strassen's algorithm on the tiles of gemm-inl.h: the sums of x ahead, the seven products one after the
// other while the result's four quarters wait in memory, and on the way out what any product has.
#pragma once

#include "kernels/cpu/gemm-inl.h"

namespace tw {
namespace {

template <class V>
void strassen_sums_kernel(const StrassenRows& p) {
  for (int64_t r = 0; r < p.pairs; ++r) {
    const float *left1 = p.upper + r * p.x_stride, *left2 = p.lower + r * p.x_stride;
    float* sums = p.sums + r * p.sums_stride;
    const bool both = r < p.lower_rows;
    for_each_vector<V>(p.depth, [&](int64_t i, auto lanes) {
      const V a11 = V::load(left1 + i, lanes), a12 = V::load(left1 + p.depth + i, lanes);
      const V a21 = both ? V::load(left2 + i, lanes) : V(0.0f);
      const V a22 = both ? V::load(left2 + p.depth + i, lanes) : V(0.0f);
      (a11 + a22).store(sums + i, lanes);
      (a21 + a22).store(sums + p.sums_apart + i, lanes);
      (a11 + a12).store(sums + 2 * p.sums_apart + i, lanes);
      (a21 - a11).store(sums + 3 * p.sums_apart + i, lanes);
      (a12 - a22).store(sums + 4 * p.sums_apart + i, lanes);
    });
  }
}

// What one of the products does to a quarter of the result.
struct StrassenUse {
  enum class Quarter { c11, c12, c21, c22 };
  Quarter quarter;
  bool subtracted = false, first = false, last = false;
};
// Of two uses the last one of a quarter is the second: its tile is finished in place.
struct StrassenUses {
  int count;
  StrassenUse use[2];
};
using Quarter = StrassenUse::Quarter;
constexpr StrassenUses kStrassenUses[kStrassenProducts] = {
    {2, {{.quarter = Quarter::c11, .first = true}, {.quarter = Quarter::c22, .first = true}}},
    {2, {{.quarter = Quarter::c21, .first = true}, {.quarter = Quarter::c22, .subtracted = true}}},
    {2, {{.quarter = Quarter::c12, .first = true}, {.quarter = Quarter::c22}}},
    {2, {{.quarter = Quarter::c11}, {.quarter = Quarter::c21, .last = true}}},
    {2, {{.quarter = Quarter::c11, .subtracted = true}, {.quarter = Quarter::c12, .last = true}}},
    {1, {{.quarter = Quarter::c22, .last = true}}},
    {1, {{.quarter = Quarter::c11, .last = true}}},
};

// One of the seven products over a range of k, as linear_tile() takes it.
struct StrassenPart {
  const float* x;
  int64_t x_stride;
  const float* weights;
  int64_t k, strip_bytes;
  StrassenUses uses;
  bool first_range, last_range;  // of k
  float* waiting;                // [4 quarters][kStrassenPairs][kStrassenStride]
  LinearArgs out[4];             // where a quarter goes in the end
};

TUWEN_INLINE int64_t strip_bytes(const StrassenPart& p) { return p.strip_bytes; }

template <class V, int MR, int NS>
TUWEN_INLINE void finish_tile(Tile<F32Product<V>, MR, NS>& acc, const StrassenPart& p, int64_t row, int64_t column) {
  constexpr int kVectors = Tile<F32Product<V>, MR, NS>::kVectors;
  for (int u = 0; u < p.uses.count; ++u) {
    const StrassenUse use = p.uses.use[u];
    const auto quarter = static_cast<int64_t>(use.quarter);
    const bool last = use.last && p.last_range, first = use.first && p.first_range;
    float* waiting = p.waiting + (quarter * kStrassenPairs + row) * kStrassenStride + column;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) {
        float* at = waiting + i * kStrassenStride + j * V::kLanes;
        V v = acc.at[i][j];
        if (!first) v = use.subtracted ? V::load(at) - v : V::load(at) + v;
        if (last) {
          acc.at[i][j] = v;
        } else {
          v.store(at);
        }
      }
    }
    if (last) finish_tile(acc, p.out[quarter], row, column);
  }
}

// A product at a time for all columns, so that its rows of x stay in L2 while weights stream past; a long range of k in
// pieces, for the same reason.
constexpr int64_t kStrassenDepth = 1024;

template <class V, int MaxNS>
void linear_strassen_kernel(const LinearStrassenArgs& p) {
  const StrassenRows& in = p.rows;
  StrassenPart part = {};
  part.strip_bytes = kLineBytes * in.depth;
  part.waiting = p.scratch;
  for (size_t quarter = 0; quarter < 4; ++quarter) {
    const bool right = quarter % 2 == 1;
    part.out[quarter] = {.x = nullptr,
                         .x_stride = 0,
                         .weights = nullptr,
                         .bias = p.bias == nullptr ? nullptr : p.bias + (right ? p.right : 0),
                         .y = (quarter < 2 ? p.y_upper : p.y_lower) + (right ? p.right : 0),
                         .y_stride = p.y_stride,
                         .rows = 0,
                         .columns = p.columns,
                         .k = 0,
                         .activation = p.activation,
                         .add_to_output = p.add_to_output};
  }
  struct Left {
    const float* x;
    int64_t stride, rows;
  };
  const auto sum = [&](int64_t i, int64_t rows) { return Left{in.sums + i * in.sums_apart, in.sums_stride, rows}; };
  const Left left[kStrassenProducts] = {sum(0, in.pairs),
                                        sum(1, in.pairs),
                                        {in.upper, in.x_stride, in.pairs},
                                        {in.lower + in.depth, in.x_stride, in.lower_rows},
                                        sum(2, in.pairs),
                                        sum(3, in.lower_rows),
                                        sum(4, in.pairs)};
  const int64_t ranges = (in.depth + kStrassenDepth - 1) / kStrassenDepth, sums_of_k = in.depth / kSumRange;
  const auto start = [&](int64_t range) { return range == ranges ? in.depth : sums_of_k * range / ranges * kSumRange; };
  const auto weights_of = [&](int64_t range, int64_t product) {
    return p.weights + product * p.weights_apart + start(range) * kStrip;
  };
  for (int64_t range = 0; range < ranges; ++range) {
    part.k = start(range + 1) - start(range);
    part.first_range = range == 0;
    part.last_range = range + 1 == ranges;
    for (int64_t product = 0; product < kStrassenProducts; ++product) {
      const Left& a = left[product];
      const bool more = product + 1 < kStrassenProducts;
      part.x = a.x + start(range);
      part.x_stride = a.stride;
      part.weights = weights_of(range, product);
      part.uses = kStrassenUses[product];
      const float* next = more ? weights_of(range, product + 1) : part.last_range ? p.next : weights_of(range + 1, 0);
      for_each_tile<MaxNS>(a.rows, p.columns, reinterpret_cast<const char*>(part.weights), part.strip_bytes, part.k,
                           reinterpret_cast<const char*>(next),
                           [&](auto mr, auto ns, int64_t row, int64_t column, auto prefetch) {
                             linear_tile<V, decltype(mr)::value, decltype(ns)::value>(
                                 part, row, column, Depth{0, part.k, nullptr}, prefetch);
                           });
    }
  }
}

}  // namespace
}  // namespace tw
