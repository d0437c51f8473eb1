// Products on AMX tiles: registers of 16 rows of 64 bytes. A line of a packed strip is a row of the second operand, so
// weights are loaded as they lie, and so are the rows of x. Two by two tiles of sums take 32 rows by two strips; two
// such blocks side by side make the 64 columns whose rows are finished together. (Intel 64 and IA-32 Architectures
// Optimization Reference Manual, chapter 20.)
#include "kernels/cpu/amx.h"

#include <immintrin.h>

#include "kernels/cpu/gemm_int8-inl.h"
#include "kernels/cpu/int8_avx512.h"
#include "kernels/cpu/simd_avx512.h"

namespace tw {
namespace {

constexpr int64_t kTileHeight = 16, kBlockRows = 2 * kTileHeight, kTileBytes = kTileHeight * kLineBytes;

struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// Tiles 0 to 3 are sums, 4 and 5 rows of x, 6 and 7 weights. Loading the shapes clears the tiles.
TUWEN_INLINE void begin_tiles(int64_t rows_of_x) {
  TileShapes shapes;
  for (int i = 0; i < 8; ++i) {
    shapes.row_bytes[i] = kLineBytes;
    shapes.rows[i] = static_cast<uint8_t>(i < 6 ? rows_of_x : kTileHeight);
  }
  _tile_loadconfig(&shapes);
}

struct Bf16Tiles {
  using Args = LinearBf16Args;
  using Sum = float;
  static constexpr int64_t kElementBytes = 2;
  static TUWEN_INLINE void multiply(Count<0>) { _tile_dpbf16ps(0, 4, 6); }
  static TUWEN_INLINE void multiply(Count<1>) { _tile_dpbf16ps(1, 4, 7); }
  static TUWEN_INLINE void multiply(Count<2>) { _tile_dpbf16ps(2, 5, 6); }
  static TUWEN_INLINE void multiply(Count<3>) { _tile_dpbf16ps(3, 5, 7); }
  template <int NS>
  static TUWEN_INLINE void finish_row(const Sum* sums, const Args& p, int64_t row, int64_t column) {
    Tile<F32Product<F32x16>, 1, NS> acc;
#pragma GCC unroll 4
    for (int j = 0; j < NS; ++j) acc.at[0][j] = F32x16::load(sums + j * kStrip);
    finish_tile(acc, p, row, column);
  }
};

struct Int8Tiles {
  using Args = LinearInt8Args;
  using Sum = int32_t;
  static constexpr int64_t kElementBytes = 1;
  static TUWEN_INLINE void multiply(Count<0>) { _tile_dpbusd(0, 4, 6); }
  static TUWEN_INLINE void multiply(Count<1>) { _tile_dpbusd(1, 4, 7); }
  static TUWEN_INLINE void multiply(Count<2>) { _tile_dpbusd(2, 5, 6); }
  static TUWEN_INLINE void multiply(Count<3>) { _tile_dpbusd(3, 5, 7); }
  template <int NS>
  static TUWEN_INLINE void finish_row(const Sum* sums, const Args& p, int64_t row, int64_t column) {
    Tile<VnniProduct512, 1, NS> acc;
#pragma GCC unroll 4
    for (int j = 0; j < NS; ++j) acc.at[0][j].v = _mm512_loadu_si512(sums + j * kStrip);
    finish_int8(acc, p, row, column);
  }
};

// A block of rows whose sums are complete. It is finished row by row while the tiles multiply the next block: vector
// instructions fit into the shadow of tile ones.
template <class T>
struct FinishedSums {
  const typename T::Args* p;
  const typename T::Sum* line = nullptr;  // sums of `row`, kPanel apart
  int64_t row = 0, end = 0, column = 0, strips = 0;

  TUWEN_INLINE void finish_one() {
    if (row == end) return;
    switch (strips) {
      case 1:
        T::template finish_row<1>(line, *p, row, column);
        break;
      case 2:
        T::template finish_row<2>(line, *p, row, column);
        break;
      case 3:
        T::template finish_row<3>(line, *p, row, column);
        break;
      default:
        T::template finish_row<4>(line, *p, row, column);
        break;
    }
    ++row, line += kPanel;
  }
  TUWEN_INLINE void finish_all() {
    while (row != end) finish_one();
  }
};

// What one call of multiply_block reads and writes: one or two tiles of rows of x, one or two strips. Strides in bytes.
struct BlockOperands {
  const char *x, *x2;
  int64_t x_stride;
  const char* strip;
  int64_t strip_bytes, steps;
  char *out, *out2;  // where the sums of either tile go
  int64_t out_stride;
};

template <class T, bool TwoRows, bool TwoStrips>
TUWEN_INLINE void multiply_block(const BlockOperands& b, Prefetch<1>& prefetch, FinishedSums<T>& before) {
  _tile_zero(0);
  if constexpr (TwoStrips) _tile_zero(1);
  if constexpr (TwoRows) _tile_zero(2);
  if constexpr (TwoRows && TwoStrips) _tile_zero(3);
  for (int64_t step = 0; step < b.steps; ++step) {
    _tile_loadd(6, b.strip + step * kTileBytes, kLineBytes);
    _tile_loadd(4, b.x + step * kLineBytes, b.x_stride);
    T::multiply(Count<0>{});
    if constexpr (TwoStrips) {
      _tile_loadd(7, b.strip + b.strip_bytes + step * kTileBytes, kLineBytes);
      T::multiply(Count<1>{});
    }
    if constexpr (TwoRows) {
      _tile_loadd(5, b.x2 + step * kLineBytes, b.x_stride);
      T::multiply(Count<2>{});
    }
    if constexpr (TwoRows && TwoStrips) T::multiply(Count<3>{});
    for (int64_t i = 0; i < prefetch.step; i += kLineBytes) __builtin_prefetch(prefetch.address + i, 0, 2);
    prefetch.address += prefetch.step;
    before.finish_one();
  }
  _tile_stored(0, b.out, b.out_stride);
  if constexpr (TwoStrips) _tile_stored(1, b.out + kLineBytes, b.out_stride);
  if constexpr (TwoRows) _tile_stored(2, b.out2, b.out_stride);
  if constexpr (TwoRows && TwoStrips) _tile_stored(3, b.out2 + kLineBytes, b.out_stride);
}

// Whether sums may go to y as they are.
TUWEN_INLINE bool stores_sums(const LinearBf16Args& p) {
  return p.bias == nullptr && p.activation == Activation::linear && !p.add_to_output && !p.y_is_bf16 &&
         p.columns % kStrip == 0;
}
TUWEN_INLINE bool stores_sums(const LinearInt8Args&) { return false; }

template <class T>
TUWEN_INLINE void linear_amx(const typename T::Args& p) {
  if (p.rows == 0) return;
  using Sum = typename T::Sum;
  const char* x = reinterpret_cast<const char*>(p.x);
  const char* weights = reinterpret_cast<const char*>(p.weights);
  const int64_t x_stride = p.x_stride * T::kElementBytes, strip_bytes = kStrip * p.k * T::kElementBytes,
                steps = p.k * T::kElementBytes / kLineBytes, tiles = (p.rows + kTileHeight - 1) / kTileHeight;
  const bool direct = stores_sums(p);
  alignas(64) Sum sums[2][kBlockRows * kPanel];
  int buffer = 0;
  FinishedSums<T> finished{&p};
  begin_tiles(p.rows < kTileHeight ? p.rows : kTileHeight);
  // The last tile of rows begins so that it ends with them: it computes some of its neighbour's rows again, to the
  // same bits, and they are finished once.
  const auto first_row = [&](int64_t tile) {
    const int64_t row = tile * kTileHeight, last = p.rows - kTileHeight;
    return row <= last ? row : last > 0 ? last : int64_t{0};
  };
  for (int64_t column = 0; column < p.columns; column += kPanel) {
    const int64_t left = (p.columns - column + kStrip - 1) / kStrip, strips = left < 4 ? left : 4;
    const char* panel = weights + column / kStrip * strip_bytes;
    const char* after = column + kPanel < p.columns ? panel + 4 * strip_bytes : reinterpret_cast<const char*>(p.next);
    const int64_t calls = (tiles + 1) / 2 * ((strips + 1) / 2), lines = strips * strip_bytes / kLineBytes;
    Prefetch<1> prefetch{after, after == nullptr ? 0 : (lines + calls * steps - 1) / (calls * steps) * kLineBytes};
    for (int64_t tile = 0; tile < tiles; tile += 2) {
      const bool two_rows = tile + 1 < tiles;
      const int64_t row = first_row(tile), row2 = two_rows ? first_row(tile + 1) : row;
      char* out =
          direct ? static_cast<char*>(p.y) + (row * p.y_stride + column) * 4 : reinterpret_cast<char*>(sums[buffer]);
      const int64_t out_stride = (direct ? p.y_stride : kPanel) * 4;
      for (int64_t s = 0; s < strips; s += 2) {
        const BlockOperands block{x + row * x_stride,
                                  x + row2 * x_stride,
                                  x_stride,
                                  panel + s * strip_bytes,
                                  strip_bytes,
                                  steps,
                                  out + s * kLineBytes,
                                  out + s * kLineBytes + (row2 - row) * out_stride,
                                  out_stride};
        if (two_rows) {
          s + 1 < strips ? multiply_block<T, true, true>(block, prefetch, finished)
                         : multiply_block<T, true, false>(block, prefetch, finished);
        } else {
          s + 1 < strips ? multiply_block<T, false, true>(block, prefetch, finished)
                         : multiply_block<T, false, false>(block, prefetch, finished);
        }
      }
      if (direct) continue;
      finished.finish_all();
      const int64_t begin = tile * kTileHeight, end = begin + kBlockRows < p.rows ? begin + kBlockRows : p.rows;
      finished = {&p, sums[buffer] + (begin - row) * kPanel, begin, end, column, strips};
      buffer ^= 1;
    }
  }
  finished.finish_all();
  _tile_release();
}

}  // namespace

void linear_bf16_amx(const LinearBf16Args& p) { linear_amx<Bf16Tiles>(p); }
void linear_int8_amx(const LinearInt8Args& p) { linear_amx<Int8Tiles>(p); }

}  // namespace tw
