// Products of bf16 on tensor cores (mma.sync, sm_80 and newer), with bias, activation and residual on the way out.
//
// Weights are read as they are packed for the CPU: a line of a strip holds one pair of k for 16 columns, which is a
// register of the second operand. A thread takes four columns of a line at once, and so has columns 4 g to 4 g + 3 of
// its warp's 32 where the layout says g, 8 + g, 16 + g and 24 + g: which columns a tile consists of is free. Of a row
// of the result it then has eight columns side by side.
#include "kernels/cuda/activation.h"
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"

namespace tw::cuda {
namespace {

constexpr int kWarpColumns = 32, kColumnWarps = kBf16Columns / kWarpColumns;
constexpr int kRowWarps2 = kBf16Threads / kWarpSize / kColumnWarps;
constexpr int kChunk = 8;                        // elements of 16 bytes
constexpr int kRowChunks = kBf16Depth / kChunk;  // of a row of x in a step
constexpr int kLineWords = 16;                   // a pair of k for each column of a strip
constexpr int kStepLines = kBf16Depth / 2;
constexpr int kStripWords = kStepLines * kLineWords;  // of a strip in a step: 1 KiB, dense in memory too

// Where 16 bytes lie in a tile of x. Rows are 64 bytes; ldmatrix reads one chunk of eight rows, from all banks.
__device__ __forceinline__ int x_chunk(int row, int chunk) {
  return row * kRowChunks + (chunk ^ (row / 2 % kRowChunks));
}
// The first of four words of a line of a strip. Four lines and two quads are read at once, from all banks.
__device__ __forceinline__ int w_word(int strip, int line, int quad) {
  return strip * kStripWords + line * kLineWords + (quad ^ (line / 2 % 2 * 2)) * 4;
}

template <int kRows>
struct Stage {
  uint16_t* x;
  uint32_t* w;
  __device__ Stage(unsigned char* shared, int number) {
    constexpr int kBytes = (kRows + kBf16Columns) * kBf16Depth * 2;
    x = reinterpret_cast<uint16_t*>(shared + number * kBytes);
    w = reinterpret_cast<uint32_t*>(shared + number * kBytes + kRows * kBf16Depth * 2);
  }
};

// One step's values of x, kBytes at a time, and of the weights; zero beyond rows and columns.
template <int kRows, int kBytes>
__device__ __forceinline__ void load_step(const Stage<kRows>& to, const LinearBf16Args& p, int64_t row0,
                                          int64_t column0, int64_t k0) {
  constexpr int kEach = kBytes / 2, kPieces = kBf16Depth / kEach;
  for (int i = thread_x(); i < kRows * kPieces; i += kBf16Threads) {
    const int r = i / kPieces, c = i % kPieces * kEach;
    const bool there = row0 + r < p.rows;
    copy_async<kBytes>(to.x + x_chunk(r, c / kChunk) * kChunk + c % kChunk,
                       there ? p.x + (row0 + r) * p.x_stride + k0 + c : p.x, there ? kBytes : 0);
  }
  const auto* words = reinterpret_cast<const uint32_t*>(p.weights);
  for (int i = thread_x(); i < kBf16Columns / static_cast<int>(kStrip) * kStripWords / 4; i += kBf16Threads) {
    const int strip = i / (kStripWords / 4), line = i / 4 % kStepLines, quad = i % 4;
    const int64_t column = column0 + strip * kStrip;
    const bool there = column < p.columns;
    copy_async<16>(to.w + w_word(strip, line, quad),
                   there ? words + (column / kStrip * (p.k / 2) + k0 / 2 + line) * kLineWords + quad * 4 : words,
                   there ? 16 : 0);
  }
}

// kTiles tiles of 16 rows by four of 8 columns.
template <int kRows, int kTiles>
__device__ __forceinline__ void multiply_step(float (&sum)[kTiles][4][4], const Stage<kRows>& from, int row,
                                              int strip) {
  const int lane = lane_of(thread_x()), group = lane / 4, in_group = lane % 4;
#pragma unroll
  for (int k = 0; k < kBf16Depth; k += 16) {
    const uint4 low = *reinterpret_cast<const uint4*>(from.w + w_word(strip + group / 4, k / 2 + in_group, group % 4));
    const uint4 high =
        *reinterpret_cast<const uint4*>(from.w + w_word(strip + group / 4, k / 2 + 4 + in_group, group % 4));
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      uint32_t x[4];
      ldmatrix_x4(x, from.x + x_chunk(row + t * 16 + lane % 16, k / kChunk + lane / 16) * kChunk);
      mma_bf16(sum[t][0], x, low.x, high.x);
      mma_bf16(sum[t][1], x, low.y, high.y);
      mma_bf16(sum[t][2], x, low.z, high.z);
      mma_bf16(sum[t][3], x, low.w, high.w);
    }
  }
}

__device__ __forceinline__ void store(const LinearBf16Args& p, int64_t row, int64_t column, float sum) {
  if (row >= p.rows || column >= p.columns) return;
  const int64_t at = row * p.y_stride + column;
  const float v = p.bias != nullptr ? sum + p.bias[column] : sum;
  if (p.add_to_output) {
    static_cast<float*>(p.y)[at] += v;
  } else if (p.y_is_bf16) {
    static_cast<uint16_t*>(p.y)[at] = round_bf16(activate(p.activation, v));
  } else {
    static_cast<float*>(p.y)[at] = activate(p.activation, v);
  }
}

template <int kRows, int kBytes>
__global__ void __launch_bounds__(kBf16Threads) linear_bf16_kernel(LinearBf16Args p) {
  TUWEN_SHARED_DYNAMIC(shared);
  constexpr int kTiles = kRows / kRowWarps2 / 16;
  const int64_t row_tiles = ceil_div(p.rows, int64_t{kRows});
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) % row_tiles * kRows;
  const int64_t column0 = static_cast<int64_t>(blockIdx.x) / row_tiles * kBf16Columns;
  const int warp = warp_of(thread_x()), lane = lane_of(thread_x());
  const int row = warp / kColumnWarps * kTiles * 16, column = warp % kColumnWarps * kWarpColumns;
  const int64_t steps = p.k / kBf16Depth;
  float sum[kTiles][4][4] = {};

  for (int step = 0; step < kBf16Stages - 1; ++step) {
    if (step < steps) load_step<kRows, kBytes>(Stage<kRows>(shared, step), p, row0, column0, step * kBf16Depth);
    copies_commit();
  }
  for (int64_t step = 0; step < steps; ++step) {
    copies_wait<kBf16Stages - 2>();
    __syncthreads();  // this step is there for all, and all are done with the stage that is loaded next
    const int64_t next = step + kBf16Stages - 1;
    if (next < steps)
      load_step<kRows, kBytes>(Stage<kRows>(shared, static_cast<int>(next % kBf16Stages)), p, row0, column0,
                               next * kBf16Depth);
    copies_commit();
    multiply_step(sum, Stage<kRows>(shared, static_cast<int>(step % kBf16Stages)), row,
                  column / static_cast<int>(kStrip));
  }

#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int64_t r = row0 + row + t * 16 + lane / 4 + e / 2 * 8;
      const int64_t c = column0 + column + (lane % 4 * 2 + e % 2) * 4;
#pragma unroll
      for (int j = 0; j < 4; ++j) store(p, r, c + j, sum[t][j][e]);
    }
  }
}

template <int kRows, int kBytes>
void start(Stream stream, const LinearBf16Args& p) {
  launch(linear_bf16_grid(p.rows, p.columns, kRows), stream, linear_bf16_kernel<kRows, kBytes>, p);
}

}  // namespace

// Rows of x begin at even elements, as the CPU's table permits; where all begin at multiples of eight they come faster.
void linear_bf16_in_tiles(Stream stream, const LinearBf16Args& p, int tile_rows) {
  const bool in_sixteens = reinterpret_cast<uintptr_t>(p.x) % 16 == 0 && p.x_stride % kChunk == 0;
  if (tile_rows == kTallTile) {
    in_sixteens ? start<kTallTile, 16>(stream, p) : start<kTallTile, 4>(stream, p);
  } else {
    in_sixteens ? start<kLowTile, 16>(stream, p) : start<kLowTile, 4>(stream, p);
  }
}

void linear_bf16(Stream stream, const LinearBf16Args& p) {
  linear_bf16_in_tiles(stream, p, linear_bf16_tile(p.rows, p.columns));
}

}  // namespace tw::cuda
