// Matrix products with packed weights: one register tile, written once for all element types.
//
// A tile is MR rows by NS strips of 16 columns. It walks the whole of k with its sums in registers, a group of 4 bytes
// (one f32, four int8) at a time: per step it loads one 64-byte line of each strip and broadcasts one group of each
// row. Weights are read once per tile row from L2, rows of x stay in L1. 6 rows x 4 strips of one 512-bit vector use 24
// accumulators of 32 registers; 6 x 1 strip of two 256-bit vectors 12 of 16. (BLIS' and AOCL's row-major shapes; Van
// Zee and van de Geijn 2015.) Few rows wait for weights, so there tiles of 32 registers are 12 x 2: weights come from
// L2 half as often, and those of twelve rows not at all a second time.
#pragma once

#include <stddef.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/kernel_table.h"

namespace tw {
namespace {

constexpr int64_t kGroupBytes = 4, kLineBytes = kStrip * kGroupBytes;

// How a tile multiplies f32: a line is a vector, an element a broadcast, a sum a vector.
template <class V>
struct F32Product {
  static constexpr int kLanes = V::kLanes;
  using Float = V;
  using Line = V;
  using Element = V;
  using Sum = V;
  static TUWEN_INLINE Sum zero() { return V(0.0f); }
  static TUWEN_INLINE Line line(const char* p) { return V::load(reinterpret_cast<const float*>(p)); }
  static TUWEN_INLINE Element element(const char* p) { return V(*reinterpret_cast<const float*>(p)); }
  static TUWEN_INLINE Sum multiply_add(Element e, Line l, Sum s) { return fma(e, l, s); }
};

template <class P, int MR, int NS>
struct Tile {
  static constexpr int kPerStrip = 16 / P::kLanes, kVectors = NS * kPerStrip;
  typename P::Sum at[static_cast<size_t>(MR)][static_cast<size_t>(kVectors)];
};

// A piece of the weights to bring into L2 while a tile computes: so many lines a step of k.
template <int Lines>
struct Prefetch {
  const char* address;
  int64_t step;  // bytes

  TUWEN_INLINE void advance() {
#pragma GCC unroll 2
    for (int i = 0; i < Lines; ++i) __builtin_prefetch(address + i * kLineBytes, 0, 2);
    address += step;
  }
};

template <class P, int MR, int NS>
TUWEN_INLINE void clear_tile(Tile<P, MR, NS>& acc) {
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < Tile<P, MR, NS>::kVectors; ++j) acc.at[i][j] = P::zero();
}

// acc[i, j] += sum_k a[i, k] b[k, j], k ascending. Strides in bytes; b: NS strips, strip_stride apart.
template <class P, int MR, int NS, int Lines>
TUWEN_INLINE void multiply_tile(Tile<P, MR, NS>& acc, const char* a, int64_t a_stride, const char* b,
                                int64_t strip_stride, int64_t groups, Prefetch<Lines>& prefetch) {
  constexpr int kPerStrip = Tile<P, MR, NS>::kPerStrip, kVectors = Tile<P, MR, NS>::kVectors;
  for (int64_t step = 0; step < groups; ++step) {
    typename P::Line line[static_cast<size_t>(kVectors)];
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j)
      line[j] = P::line(b + (j / kPerStrip) * strip_stride + (j % kPerStrip) * P::kLanes * kGroupBytes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const typename P::Element element = P::element(a + i * a_stride + step * kGroupBytes);
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) acc.at[i][j] = P::multiply_add(element, line[j], acc.at[i][j]);
    }
    b += kLineBytes;
    prefetch.advance();
  }
}

// body(vector index, first column, lanes) for each vector that holds one of `columns` columns.
template <class V, int Vectors, class Body>
TUWEN_INLINE void for_each_column_vector(int64_t columns, Body body) {
#pragma GCC unroll 16
  for (int j = 0; j < Vectors; ++j) {
    const int64_t left = columns - j * V::kLanes;
    if (left >= V::kLanes) {
      body(j, j * V::kLanes, All{});
    } else if (left > 0) {
      body(j, j * V::kLanes, First{static_cast<int>(left)});
    }
  }
}

// store(row, first column, value, lanes) for each vector of a tile.
template <class V, int MR, int NS, class Store>
TUWEN_INLINE void store_tile(const Tile<F32Product<V>, MR, NS>& acc, int64_t columns, Store store) {
  constexpr int kVectors = Tile<F32Product<V>, MR, NS>::kVectors;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
    for_each_column_vector<V, kVectors>(columns,
                                        [&](int j, int64_t c, auto lanes) { store(i, c, acc.at[i][j], lanes); });
}

// Through a buffer: a function call a tile, and the tiles stay free of nineteen activations. Not in place in y, whose
// rows may be a multiple of 4 KiB apart: a load then seems to depend on the store to the row before.
template <class V, int MR, int NS>
TUWEN_INLINE void activate_tile(Tile<F32Product<V>, MR, NS>& acc, Activation activation) {
  constexpr int kVectors = Tile<F32Product<V>, MR, NS>::kVectors;
  alignas(64) float rows[static_cast<size_t>(MR * NS * 16)];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) acc.at[i][j].store(rows + (i * kVectors + j) * V::kLanes);
  activate_row<V>(activation, rows, rows, MR * NS * 16);
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) acc.at[i][j] = V::load(rows + (i * kVectors + j) * V::kLanes);
}

// From finished sums to memory: bias, what was there, activation.
template <class V, int MR, int NS, class Args>
TUWEN_INLINE void finish_tile(Tile<F32Product<V>, MR, NS>& acc, const Args& d, int64_t row, int64_t column) {
  constexpr int kVectors = Tile<F32Product<V>, MR, NS>::kVectors;
  const int64_t columns = d.columns - column < NS * 16 ? d.columns - column : NS * 16;
  if (d.bias != nullptr) {
    for_each_column_vector<V, kVectors>(columns, [&](int j, int64_t c, auto lanes) {
      const V bias = V::load(d.bias + column + c, lanes);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) acc.at[i][j] = acc.at[i][j] + bias;
    });
  }
  if (d.activation != Activation::linear) activate_tile(acc, d.activation);
  const int64_t first = row * d.y_stride + column;
  if constexpr (requires { d.y_is_bf16; }) {
    if (d.y_is_bf16) {
      uint16_t* y = static_cast<uint16_t*>(d.y) + first;
      store_tile(acc, columns,
                 [&](int i, int64_t c, V value, auto lanes) { store_bf16(y + i * d.y_stride + c, value, lanes); });
      return;
    }
  }
  float* y = static_cast<float*>(d.y) + first;
  if (d.add_to_output) {  // all loads before the first store, for the same reason
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
      for_each_column_vector<V, kVectors>(columns, [&](int j, int64_t c, auto lanes) {
        acc.at[i][j] = acc.at[i][j] + V::load(y + i * d.y_stride + c, lanes);
      });
  }
  store_tile(acc, columns, [&](int i, int64_t c, V value, auto lanes) { value.store(y + i * d.y_stride + c, lanes); });
}

// How a tile multiplies bf16 where there is no instruction for it: pairs are widened to two f32 products.
template <class V>
struct WidenedProduct {
  static constexpr int kLanes = V::kLanes;
  using Float = V;
  using Sum = V;
  static TUWEN_INLINE Sum zero() { return V(0.0f); }
};

constexpr int64_t kWidenedPairs = 128;  // of a row at a time: twelve rows take 12 KiB of L1

// even[n], odd[n]: the halves of `count` pairs, which come in whole lines.
template <class V>
TUWEN_INLINE void widen_pairs(const char* pairs, int64_t count, float* even, float* odd) {
  for (int64_t n = 0; n < count; n += V::kLanes) {
    const Pairs<V> both = load_pairs(V(0.0f), pairs + n * kGroupBytes);
    both.even.store(even + n);
    both.odd.store(odd + n);
  }
}

// Rows are widened ahead, so that the loop widens weights alone: 8 of 56 vector operations a step of a 6 x 4 tile. The
// odd halves of a step come first; one half after the other leaves registers for the sums.
template <class V, int MR, int NS, int Lines>
TUWEN_INLINE void multiply_tile(Tile<WidenedProduct<V>, MR, NS>& acc, const char* a, int64_t a_stride, const char* b,
                                int64_t strip_stride, int64_t groups, Prefetch<Lines>& prefetch) {
  constexpr int kPerStrip = 16 / V::kLanes, kVectors = NS * kPerStrip;
  alignas(64) float halves[2][static_cast<size_t>(MR)][static_cast<size_t>(kWidenedPairs)];
  for (int64_t first = 0; first < groups; first += kWidenedPairs) {
    const int64_t count = groups - first < kWidenedPairs ? groups - first : kWidenedPairs;
    for (int i = 0; i < MR; ++i)
      widen_pairs<V>(a + i * a_stride + first * kGroupBytes, count, halves[0][i], halves[1][i]);
    for (int64_t step = 0; step < count; ++step) {
#pragma GCC unroll 2
      for (int half = 1; half >= 0; --half) {
        __asm__ volatile("" ::: "memory");  // g++ 12 would widen both halves at once and run out of registers
        V line[static_cast<size_t>(kVectors)];
#pragma GCC unroll 16
        for (int j = 0; j < kVectors; ++j) {
          const Pairs<V> both =
              load_pairs(V(0.0f), b + (j / kPerStrip) * strip_stride + (j % kPerStrip) * V::kLanes * kGroupBytes);
          line[j] = half == 1 ? both.odd : both.even;
        }
#pragma GCC unroll 16
        for (int i = 0; i < MR; ++i) {
          const V element(halves[half][i][step]);
#pragma GCC unroll 16
          for (int j = 0; j < kVectors; ++j) acc.at[i][j] = fma(element, line[j], acc.at[i][j]);
        }
      }
      b += kLineBytes;
      prefetch.advance();
    }
  }
}

template <class P, int MR, int NS, int Lines>
__attribute__((noinline)) void linear_bf16_tile(const LinearBf16Args& p, int64_t row, int64_t column,
                                                Prefetch<Lines> prefetch) {
  constexpr int kVectors = Tile<P, MR, NS>::kVectors;
  Tile<P, MR, NS> sums;
  clear_tile(sums);
  multiply_tile(sums, reinterpret_cast<const char*>(p.x + row * p.x_stride), p.x_stride * 2,
                reinterpret_cast<const char*>(p.weights + column * p.k), kStrip * p.k * 2, p.k * 2 / kGroupBytes,
                prefetch);
  Tile<F32Product<typename P::Float>, MR, NS> acc;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) acc.at[i][j] = sums.at[i][j];
  finish_tile(acc, p, row, column);
}

// A range of k, and where the sums of the columns at hand wait between one range and the next.
struct Depth {
  int64_t first, count;
  float* sums;  // [rows, kPanel], or null if the range is the whole
};

// From one packed strip of the weights to the next.
TUWEN_INLINE int64_t strip_bytes(const LinearArgs& p) { return kLineBytes * p.k; }

// Rounding errors grow with the length of a running sum, so a long one is several short ones (blocked summation; Higham
// 2002, section 4.2): each runs in registers and is then added to what waits.
template <class V, int MR, int NS, class Args, int Lines>
__attribute__((noinline)) void linear_tile(const Args& p, int64_t row, int64_t column, Depth depth,
                                           Prefetch<Lines> prefetch) {
  constexpr int kVectors = Tile<F32Product<V>, MR, NS>::kVectors;
  alignas(64) float of_tile[static_cast<size_t>(MR * NS * kStrip)] = {};
  float* of_range = depth.sums == nullptr ? nullptr : depth.sums + row * kPanel + column;
  const int64_t end = depth.first + depth.count;
  for (int64_t first = depth.first;; first += kSumRange) {
    const int64_t last = end_of_sum(first, p.k);
    Tile<F32Product<V>, MR, NS> acc;
    const auto for_each_sum = [&](float* waiting, int64_t stride, auto body) {
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
        for (int j = 0; j < kVectors; ++j) body(acc.at[i][j], waiting + i * stride + j * V::kLanes);
    };
    const auto add = [](V& sum, const float* before) { sum = V::load(before) + sum; };
    const auto store = [](V& sum, float* at) { sum.store(at); };
    clear_tile(acc);
    multiply_tile(acc, reinterpret_cast<const char*>(p.x + row * p.x_stride + first), p.x_stride * kGroupBytes,
                  reinterpret_cast<const char*>(p.weights + first * kStrip) + column / kStrip * strip_bytes(p),
                  strip_bytes(p), last - first, prefetch);
    if (first > depth.first) {
      for_each_sum(of_tile, NS * kStrip, add);
    } else if (of_range != nullptr && first > 0) {
      for_each_sum(of_range, kPanel, add);
    }
    if (last == p.k) return finish_tile(acc, p, row, column);
    if (of_range != nullptr && last == end) return for_each_sum(of_range, kPanel, store);
    for_each_sum(of_tile, NS * kStrip, store);
  }
}

// Calls tile(mr, ns, row, column, prefetch) for every tile of a product of rows. Tiles have Most rows and, where those
// do not divide, some have one fewer, so that none is much smaller than the others (197 = 32 x 6 + 5, not 32 x 6 + 5 x
// 1); none has fewer than Least. MaxNS: strips a tile takes at most.
//
// Strips are the outer loop, so a panel of weights is read from memory once; while the tiles of one panel compute, each
// brings its share of the next panel closer. strip_bytes: from one packed strip to the next, of which `groups` lines
// are read. `next`: weights wanted after these, or null.
template <int Least, int Most, int MaxNS, class TileBody>
TUWEN_INLINE void for_each_tile_of(int64_t rows, int64_t columns, const char* weights, int64_t strip_bytes,
                                   int64_t groups, const char* next, TileBody body) {
  const int64_t tiles = (rows + Most - 1) / Most;
  int64_t column = 0;
  while (column < columns) {
    const int64_t strips = (columns - column + kStrip - 1) / kStrip;
    with_count<1, MaxNS>(strips < MaxNS ? strips : MaxNS, [&](auto ns) {
      constexpr int kStrips = decltype(ns)::value;
      // A single tile brings whole strips, which are then read whole and lie one behind the other; of several each
      // brings a piece of a strip. Without a next panel the hint stays on lines that are in L1 anyway.
      constexpr int kLines = Least == 1 ? kStrips : 1;
      const int64_t following = column + kStrips * kStrip;
      const char* after = following < columns ? weights + following / kStrip * strip_bytes : next;
      const int64_t sharing = tiles < kStrips ? 1 : tiles / kStrips;
      const int64_t step = after == nullptr ? 0 : (kLines * kLineBytes + sharing - 1) / sharing;
      for (int64_t t = 0, row = 0; t < tiles; ++t) {
        const int64_t end = rows * (t + 1) / tiles, strip = t / sharing;
        const bool none = after == nullptr || strip >= kStrips;
        const Prefetch<kLines> prefetch{none ? weights : after + strip * strip_bytes + t % sharing * step * groups,
                                        none ? 0 : step};
        with_count<Least, Most>(end - row, [&](auto mr) { body(mr, ns, row, column, prefetch); });
        row = end;
      }
      column = following;
    });
  }
}

// Few rows wait for their weights, many for the multiplications.
constexpr int64_t kFewRows = 48;

// The tiles of a product, of the shape for so many rows. MaxNS: 4 strips in 32 registers, 1 in 16.
template <int MaxNS, class TileBody>
TUWEN_INLINE void for_each_tile(int64_t rows, int64_t columns, const char* weights, int64_t strip_bytes, int64_t groups,
                                const char* next, TileBody body) {
  if constexpr (MaxNS < 4) {
    for_each_tile_of<1, 6, MaxNS>(rows, columns, weights, strip_bytes, groups, next, body);
  } else if (rows > kFewRows) {
    for_each_tile_of<5, 6, MaxNS>(rows, columns, weights, strip_bytes, groups, next, body);
  } else if (rows > 12) {
    for_each_tile_of<6, 12, MaxNS / 2>(rows, columns, weights, strip_bytes, groups, next, body);
  } else if (rows > 0) {
    for_each_tile_of<1, 12, MaxNS / 2>(rows, columns, weights, strip_bytes, groups, next, body);
  }
}

// A long k is taken in ranges of about a thousand, for all rows one after the other: weights and rows of one range stay
// in L2. A range is whole sum ranges, so the bits are the same without. Few rows read their weights once anyway.
constexpr int64_t kLongDepth = 1536, kDepthRange = 1024, kWaitingRows = 320;

template <class V, int MaxNS>
void linear_kernel(const LinearArgs& p) {
  const auto all_tiles = [](const LinearArgs& part, Depth depth, const float* next) {
    for_each_tile<MaxNS>(part.rows, part.columns, reinterpret_cast<const char*>(part.weights + depth.first * kStrip),
                         kLineBytes * part.k, depth.count, reinterpret_cast<const char*>(next),
                         [&](auto mr, auto ns, int64_t row, int64_t column, auto prefetch) {
                           linear_tile<V, decltype(mr)::value, decltype(ns)::value>(part, row, column, depth, prefetch);
                         });
  };
  if (p.k <= kLongDepth || p.rows <= kFewRows) return all_tiles(p, {0, p.k, nullptr}, p.next);
  alignas(64) float sums[kWaitingRows * kPanel];
  const int64_t sums_of_k = p.k / kSumRange, ranges = (p.k + kDepthRange - 1) / kDepthRange,
                parts = (p.rows + kWaitingRows - 1) / kWaitingRows;
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t row = p.rows * i / parts;
    for (int64_t column = 0; column < p.columns; column += kPanel) {
      LinearArgs part = p;
      part.x += row * p.x_stride;
      part.weights += column * p.k;
      if (p.bias != nullptr) part.bias += column;
      part.y += row * p.y_stride + column;
      part.rows = p.rows * (i + 1) / parts - row;
      part.columns = p.columns - column < kPanel ? p.columns - column : kPanel;
      const auto start = [&](int64_t range) { return range == ranges ? p.k : sums_of_k * range / ranges * kSumRange; };
      for (int64_t range = 0; range < ranges; ++range) {
        const int64_t first = start(range), end = start(range + 1);
        const float* next = range + 1 < ranges            ? part.weights + end * kStrip
                            : column + kPanel < p.columns ? part.weights + kPanel * p.k
                                                          : p.next;
        all_tiles(part, {first, end - first, sums}, next);
      }
    }
  }
}

template <class P, int MaxNS>
void linear_bf16_kernel(const LinearBf16Args& p) {
  for_each_tile<MaxNS>(p.rows, p.columns, reinterpret_cast<const char*>(p.weights), kStrip * p.k * 2, p.k / 2,
                       reinterpret_cast<const char*>(p.next),
                       [&](auto mr, auto ns, int64_t row, int64_t column, auto prefetch) {
                         linear_bf16_tile<P, decltype(mr)::value, decltype(ns)::value>(p, row, column, prefetch);
                       });
}

// Rows against rows: dot products of length k, used for logits. One vector accumulator each.
template <class V>
void similarity_kernel(const SimilarityArgs& p) {
  for (int64_t m = 0; m < p.rows; ++m) {
    const float* x = p.x + m * p.x_stride;
    for (int64_t n = 0; n < p.columns; ++n) {
      const float* z = p.z + n * p.z_stride;
      V total(0.0f);
      for_each_vector<V>(
          p.k, [&](int64_t i, auto lanes) { total = fma(V::load(x + i, lanes), V::load(z + i, lanes), total); });
      p.y[m * p.y_stride + n] = p.scale * sum(total);
    }
  }
}

}  // namespace
}  // namespace tw
