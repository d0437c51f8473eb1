// Products in f32: the sums of kernel_table.h, so the bits are the CPU's. And similarity.
#include "kernels/cuda/activation.h"
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"

namespace tw::cuda {
namespace {

static_assert(kSumRange % kF32Depth == 0);
constexpr int kRowGap = 4;  // floats between rows of x in shared memory, so that rows begin in different banks
constexpr int kXRow = kF32Depth + kRowGap;

// The 64 x 16 values of x and the 16 x 64 of the weights that one step multiplies, zero where there are none. x comes
// kBytes at a time, as its alignment permits.
template <int kBytes>
__device__ __forceinline__ void load_step(float* xs, float* ws, const LinearArgs& p, int64_t row0, int64_t column0,
                                          int64_t k0) {
  constexpr int kEach = kBytes / 4, kPieces = kF32Depth / kEach;
  for (int i = thread_x(); i < kF32Tile * kPieces; i += kF32Threads) {
    const int r = i / kPieces, c = i % kPieces * kEach;
    const int64_t left = row0 + r < p.rows ? p.k - k0 - c : 0;
    const int bytes = left >= kEach ? kBytes : left > 0 ? static_cast<int>(left) * 4 : 0;
    copy_async<kBytes>(xs + r * kXRow + c, bytes == 0 ? p.x : p.x + (row0 + r) * p.x_stride + k0 + c, bytes);
  }
  const int k = thread_x() / 16, quad = thread_x() % 16;  // four columns of a line of a strip
  const int64_t strip = column0 / kStrip + quad / 4;
  const bool there = k0 + k < p.k && strip * kStrip < p.columns;
  copy_async<16>(ws + k * kF32Tile + quad * 4,
                 there ? p.weights + (strip * p.k + k0 + k) * kStrip + quad % 4 * 4 : p.weights, there ? 16 : 0);
}

template <int kBytes>
__global__ void __launch_bounds__(kF32Threads, 2) linear_kernel(LinearArgs p) {
  after_earlier_kernels();
  TUWEN_SHARED(float, xs, 2 * kF32Tile * kXRow);
  TUWEN_SHARED(float, ws, 2 * kF32Depth * kF32Tile);
  const int64_t row_tiles = ceil_div(p.rows, int64_t{kF32Tile});
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) % row_tiles * kF32Tile;
  const int64_t column0 = static_cast<int64_t>(blockIdx.x) / row_tiles * kF32Tile;
  const int64_t steps = ceil_div(p.k, int64_t{kF32Depth});
  const int ty = thread_x() / 16, tx = thread_x() % 16;
  float sum[4][4] = {}, total[4][4];  // the range at hand, and those before it
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) total[i][j] = -0.0f;  // what changes no bit of what is added to it
  int64_t end = end_of_sum(0, p.k);

  if (steps > 0) load_step<kBytes>(xs, ws, p, row0, column0, 0);
  copies_commit();
  for (int64_t step = 0; step < steps; ++step) {
    const int now = static_cast<int>(step % 2), next = 1 - now;
    if (step + 1 < steps)
      load_step<kBytes>(xs + next * kF32Tile * kXRow, ws + next * kF32Depth * kF32Tile, p, row0, column0,
                        (step + 1) * kF32Depth);
    copies_commit();
    copies_wait<1>();
    __syncthreads();
    const float* x = xs + now * kF32Tile * kXRow + ty * 4 * kXRow;
    const float* w = ws + now * kF32Depth * kF32Tile + tx * 4;
    for (int k = 0; k < kF32Depth; ++k) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] = fmaf(x[i * kXRow + k], w[k * kF32Tile + j], sum[i][j]);
    }
    __syncthreads();
    if ((step + 1) * kF32Depth == end && end < p.k) {
      end = end_of_sum(end, p.k);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) total[i][j] += sum[i][j], sum[i][j] = 0.0f;
    }
  }

#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      sum[i][j] = total[i][j] + sum[i][j];
      const int64_t row = row0 + ty * 4 + i, column = column0 + tx * 4 + j;
      if (row >= p.rows || column >= p.columns) continue;
      float* y = p.y + row * p.y_stride + column;
      const float v = p.bias != nullptr ? sum[i][j] + p.bias[column] : sum[i][j];
      *y = p.add_to_output ? v + *y : activate(p.activation, v);
    }
  }
}

constexpr int kSimilarityWarps = 4, kWarpColumns = 8;

// A warp has eight results of one row, its lanes divide k.
__global__ void __launch_bounds__(kSimilarityWarps* kWarpSize) similarity_kernel(SimilarityArgs p) {
  after_earlier_kernels();
  const int64_t groups = ceil_div(p.columns, int64_t{kSimilarityWarps * kWarpColumns});
  const int64_t row = static_cast<int64_t>(blockIdx.x) / groups;
  const int64_t first =
      (static_cast<int64_t>(blockIdx.x) % groups * kSimilarityWarps + warp_of(thread_x())) * kWarpColumns;
  const float* x = p.x + row * p.x_stride;
  for (int64_t column = first; column < first + kWarpColumns && column < p.columns; ++column) {
    const float* z = p.z + column * p.z_stride;
    float sum = 0.0f;
    for (int64_t k = lane_of(thread_x()); k < p.k; k += kWarpSize) sum = fmaf(x[k], z[k], sum);
    sum = warp_sum(sum);
    if (lane_of(thread_x()) == 0) p.y[row * p.y_stride + column] = p.scale * sum;
  }
}

bool in_sixteens(const void* data, int64_t stride_bytes) {
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && stride_bytes % 16 == 0;
}

}  // namespace

void linear(Stream stream, const LinearArgs& p) {
  launch(linear_geometry(p.rows, p.columns), stream,
         in_sixteens(p.x, p.x_stride * 4) ? linear_kernel<16> : linear_kernel<4>, p);
}

void similarity(Stream stream, const SimilarityArgs& p) {
  const int64_t groups = ceil_div(p.columns, int64_t{kSimilarityWarps * kWarpColumns});
  launch({.blocks_x = p.rows * groups, .threads = kSimilarityWarps * kWarpSize}, stream, similarity_kernel, p);
}

}  // namespace tw::cuda
