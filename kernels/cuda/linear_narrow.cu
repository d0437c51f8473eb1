// Products of bf16, f16 and E4M3 on tensor cores (mma.sync, sm_80 and newer; E4M3 sm_89), with scale, bias, activation
// and residual on the way out.
//
// Weights are read as they are packed for the CPU: a line of a strip holds one group of four bytes of k for 16 columns,
// which is a register of the second operand. A thread takes four columns of a line at once, and so has columns 4 g to
// 4 g + 3 of its warp's 32 where the layout says g, 8 + g, 16 + g and 24 + g: which columns a tile consists of is free.
// Of a row of the result it then has two times four columns side by side. In bytes all of this is the same for every
// type; k alone is counted in elements.
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/narrow_results.h"

namespace tw::cuda {
namespace {

constexpr int kWarpColumns = 32, kColumnWarps = kNarrowColumns / kWarpColumns;
constexpr int kRowWarps2 = kNarrowThreads / kWarpSize / kColumnWarps;
constexpr int kChunk = 16;                              // bytes
constexpr int kRowChunks = kNarrowDepthBytes / kChunk;  // of a row of x in a step
constexpr int kLineWords = 16;                          // a group of k for each column of a strip
constexpr int kStepLines = kNarrowDepthBytes / 4;
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
  unsigned char* x;
  uint32_t* w;
  __device__ Stage(unsigned char* shared, int number) {
    constexpr int kBytes = (kRows + kNarrowColumns) * kNarrowDepthBytes;
    x = shared + number * kBytes;
    w = reinterpret_cast<uint32_t*>(shared + number * kBytes + kRows * kNarrowDepthBytes);
  }
};

// x and the weights as bytes.
struct Operands {
  const unsigned char* x;
  const uint32_t* words;
  int64_t x_stride, depth;  // bytes
  int64_t rows, columns;
  __device__ explicit Operands(const LinearNarrowArgs& p)
      : x(static_cast<const unsigned char*>(p.x)),
        words(static_cast<const uint32_t*>(p.weights)),
        x_stride(p.x_stride * size_of(p.type)),
        depth(p.k * size_of(p.type)),
        rows(p.rows),
        columns(p.columns) {}
};

// The step of x that begins `k0` bytes into its rows, kBytes at a time, and of the weights; zero beyond rows and
// columns.
template <int kRows, int kBytes>
__device__ __forceinline__ void load_step(const Stage<kRows>& to, const Operands& p, int64_t row0, int64_t column0,
                                          int64_t k0) {
  constexpr int kPieces = kNarrowDepthBytes / kBytes;
  for (int i = thread_x(); i < kRows * kPieces; i += kNarrowThreads) {
    const int r = i / kPieces, c = i % kPieces * kBytes;
    const bool there = row0 + r < p.rows;
    copy_async<kBytes>(to.x + x_chunk(r, c / kChunk) * kChunk + c % kChunk,
                       there ? p.x + (row0 + r) * p.x_stride + k0 + c : p.x, there ? kBytes : 0);
  }
  for (int i = thread_x(); i < kNarrowColumns / static_cast<int>(kStrip) * kStripWords / 4; i += kNarrowThreads) {
    const int strip = i / (kStripWords / 4), line = i / 4 % kStepLines, quad = i % 4;
    const int64_t column = column0 + strip * kStrip;
    const bool there = column < p.columns;
    copy_async<16>(
        to.w + w_word(strip, line, quad),
        there ? p.words + (column / kStrip * (p.depth / 4) + k0 / 4 + line) * kLineWords + quad * 4 : p.words,
        there ? 16 : 0);
  }
}

// kTiles tiles of 16 rows by four of 8 columns.
template <DType kType, int kRows, int kTiles>
__device__ __forceinline__ void multiply_step(float (&sum)[kTiles][4][4], const Stage<kRows>& from, int row,
                                              int strip) {
  const int lane = lane_of(thread_x()), group = lane / 4, in_group = lane % 4;
  // sm_90 has E4M3 in other instructions alone: ptxas widens every operand, and spills if it does so twice.
  [[maybe_unused]] constexpr int kUnroll = kType == DType::e4m3 ? 1 : 2;
#pragma unroll kUnroll
  for (int k = 0; k < kNarrowDepthBytes; k += 32) {
    const uint4 low = *reinterpret_cast<const uint4*>(from.w + w_word(strip + group / 4, k / 4 + in_group, group % 4));
    const uint4 high =
        *reinterpret_cast<const uint4*>(from.w + w_word(strip + group / 4, k / 4 + 4 + in_group, group % 4));
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      uint32_t x[4];
      ldmatrix_x4(x, from.x + x_chunk(row + t * 16 + lane % 16, k / kChunk + lane / 16) * kChunk);
      mma<kType>(sum[t][0], x, low.x, high.x);
      mma<kType>(sum[t][1], x, low.y, high.y);
      mma<kType>(sum[t][2], x, low.z, high.z);
      mma<kType>(sum[t][3], x, low.w, high.w);
    }
  }
}

template <DType kType, int kRows, int kBytes>
__global__ void __launch_bounds__(kNarrowThreads, linear_narrow_blocks(kType, kRows))
    linear_narrow_kernel(LinearNarrowArgs p) {
  after_earlier_kernels();
  TUWEN_SHARED_DYNAMIC(shared);
  constexpr int kTiles = kRows / kRowWarps2 / 16;
  const Operands in(p);
  const int64_t row_tiles = ceil_div(p.rows, int64_t{kRows});
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) % row_tiles * kRows;
  const int64_t column0 = static_cast<int64_t>(blockIdx.x) / row_tiles * kNarrowColumns;
  const int warp = warp_of(thread_x()), lane = lane_of(thread_x());
  const int row = warp / kColumnWarps * kTiles * 16, column = warp % kColumnWarps * kWarpColumns;
  const int64_t steps = in.depth / kNarrowDepthBytes;
  float sum[kTiles][4][4] = {};

  for (int step = 0; step < kNarrowStages - 1; ++step) {
    if (step < steps) load_step<kRows, kBytes>(Stage<kRows>(shared, step), in, row0, column0, step * kNarrowDepthBytes);
    copies_commit();
  }
  for (int64_t step = 0; step < steps; ++step) {
    copies_wait<kNarrowStages - 2>();
    __syncthreads();  // this step is there for all, and all are done with the stage that is loaded next
    const int64_t next = step + kNarrowStages - 1;
    if (next < steps)
      load_step<kRows, kBytes>(Stage<kRows>(shared, static_cast<int>(next % kNarrowStages)), in, row0, column0,
                               next * kNarrowDepthBytes);
    copies_commit();
    multiply_step<kType>(sum, Stage<kRows>(shared, static_cast<int>(step % kNarrowStages)), row,
                         column / static_cast<int>(kStrip));
  }

  const bool at_once = can_store_at_once<4>(p);
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int64_t r = row0 + row + t * 16 + lane / 4 + e / 2 * 8;
      const auto c = static_cast<int>(column0 + column + (lane % 4 * 2 + e % 2) * 4);
      float side_by_side[4] = {sum[t][0][e], sum[t][1][e], sum[t][2][e], sum[t][3][e]};
      if (r >= p.rows || c >= p.columns) continue;
      ColumnTerms<kType, 4>(p, c).apply(p, side_by_side);
      store_columns<kType, 4>(p, r, c, at_once, side_by_side);
    }
  }
}

template <DType kType, int kBytes>
void start(Stream stream, const LinearNarrowArgs& p, int tile_rows) {
  const Geometry grid = linear_narrow_grid(p.rows, p.columns, tile_rows);
  launch(grid, stream,
         tile_rows == kTallTile ? linear_narrow_kernel<kType, kTallTile, kBytes>
                                : linear_narrow_kernel<kType, kLowTile, kBytes>,
         p);
}

// Rows of x begin at multiples of four bytes, as the CPU's table demands; where all begin at multiples of 16 they come
// faster.
template <DType kType>
void start(Stream stream, const LinearNarrowArgs& p, int tile_rows) {
  const bool in_sixteens = reinterpret_cast<uintptr_t>(p.x) % kChunk == 0 && p.x_stride * size_of(kType) % kChunk == 0;
  in_sixteens ? start<kType, 16>(stream, p, tile_rows) : start<kType, 4>(stream, p, tile_rows);
}

}  // namespace

void linear_narrow_in_tiles(Stream stream, const LinearNarrowArgs& p, int tile_rows) {
  with_narrow_type(p.type, [&](auto type) { start<decltype(type)::value>(stream, p, tile_rows); });
}

void linear_narrow(Stream stream, const LinearNarrowArgs& p) {
  linear_narrow_in_tiles(stream, p, linear_narrow_tile(p.rows, p.columns));
}

}  // namespace tw::cuda
