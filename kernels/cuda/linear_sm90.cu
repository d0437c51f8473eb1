// Products of bf16, f16 and E4M3 by wgmma, which sm_90a has (H100, H200): what linear_narrow.cu is elsewhere, with
// weights in tiles (kernels/weight_tiles.h).
//
// A block is two warpgroups, each of which multiplies 64 rows by 128 columns of a tall tile, or by 64 columns of a low
// one. Steps of 128 bytes of k come into a ring of stages: rows of x by cp.async into the 128-byte swizzle, weights as
// one bulk copy. A stage has a barrier that is over when it is full. While a step is multiplied, the one before has
// been read, and its stage is filled again.
//
// Two blocks share a multiprocessor, so that one multiplies while the other stores: k is short (768 to 5120) and
// results take a good part of the time. No warps only copy: so a thread has 128 registers, where with them it had 96,
// too few for 64 sums and the way out. E4M3 needs twice as many for sums, and has one block with more stages.
#include "kernels/cuda/device_ops_sm90.h"
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/narrow_results.h"
#include "kernels/weight_tiles.h"

namespace tw::cuda {
namespace {

#ifdef TUWEN_SM90A
constexpr int kChunk = 16;  // bytes
constexpr int kLineChunks = kTileDepthBytes / kChunk;
constexpr int kGroups = kSm90Threads / kGroupThreads, kGroupRows = 64;  // of x, that a warpgroup multiplies
constexpr int kInstructionDepth = 32;                                   // bytes of k

// The stages of a block.
template <DType kType, int kRows>
struct Stages {
  static constexpr int kCount = sm90_stages(kType, kRows);
  unsigned char* shared;
  Barrier* full;  // [kCount]

  __device__ Stages(unsigned char* dynamic, Barrier* barriers)
      : shared(dynamic + (kSwizzleBytes - shared_address(dynamic) % kSwizzleBytes) % kSwizzleBytes), full(barriers) {}
  // By one thread, before all others.
  __device__ void init() const {
    for (int s = 0; s < kCount; ++s) barrier_init(full + s, kSm90Threads + 1);  // each one's rows, and the weights
    proxy_fence();
  }
  __device__ unsigned char* rows(int stage) const { return shared + stage * sm90_stage_bytes(kRows); }
  __device__ unsigned char* weights(int stage) const { return rows(stage) + kRows * kTileDepthBytes; }
};

// What a tile is the product of, in bytes.
struct Operands {
  const unsigned char *x, *weights;
  int64_t x_stride, depth;
  int64_t rows, row0;  // of x
  bool in_sixteens;    // rows of x begin at multiples of 16

  __device__ Operands(const LinearNarrowArgs& p, int64_t first_row, int64_t tile_column, int steps)
      : x(static_cast<const unsigned char*>(p.x)),
        weights(static_cast<const unsigned char*>(p.weights) + tile_column * steps * kTileBytes),
        x_stride(p.x_stride * size_of(p.type)),
        depth(p.k * size_of(p.type)),
        rows(p.rows),
        row0(first_row),
        in_sixteens(reinterpret_cast<uintptr_t>(x) % kChunk == 0 && x_stride % kChunk == 0) {}
};

// 128 bytes of each row from `k0` on, kBytes at a time; zero beyond rows and depth.
template <int kRows, int kBytes>
__device__ __forceinline__ void copy_rows(unsigned char* to, const Operands& p, int64_t k0) {
  const int row = thread_x() / kLineChunks, byte = thread_x() % kLineChunks * kChunk;
  const bool in_depth = k0 + byte < p.depth;
#pragma unroll
  for (int r = row; r < kRows; r += kSm90Threads / kLineChunks) {
    const bool there = in_depth && p.row0 + r < p.rows;
    const unsigned char* from = there ? p.x + (p.row0 + r) * p.x_stride + k0 + byte : p.x;
#pragma unroll
    for (int b = 0; b < kChunk; b += kBytes)
      copy_async<kBytes>(to + swizzled(r, byte + b), there ? from + b : from, there ? kBytes : 0);
  }
}

// A step's weights and its rows, to the stage that it comes to.
template <DType kType, int kRows>
__device__ __forceinline__ void load_weights(const Stages<kType, kRows>& stages, const Operands& p, int step) {
  if (thread_x() != 0) return;
  const int stage = step % Stages<kType, kRows>::kCount;
  barrier_arrive_expecting(stages.full + stage, kTileBytes);
  copy_bulk(stages.weights(stage), p.weights + int64_t{step} * kTileBytes, kTileBytes, stages.full + stage);
}
template <DType kType, int kRows>
__device__ __forceinline__ void load_rows(const Stages<kType, kRows>& stages, const Operands& p, int step) {
  const int stage = step % Stages<kType, kRows>::kCount;
  const int64_t k0 = int64_t{step} * kTileDepthBytes;
  if (p.in_sixteens) {
    copy_rows<kRows, 16>(stages.rows(stage), p, k0);
  } else {  // at multiples of four bytes, as the CPU's table demands
    copy_rows<kRows, 4>(stages.rows(stage), p, k0);
  }
  copies_arrive(stages.full + stage);
}

template <DType kType, bool kAddFirst, int kSums>
__device__ __forceinline__ void begin_step(float (&sum)[kSums], uint64_t x, uint64_t w) {
  wgmma_fence(sum);
  wgmma<kType, kAddFirst>(sum, x, w);
#pragma unroll
  for (int k = kInstructionDepth; k < kTileDepthBytes; k += kInstructionDepth)
    wgmma<kType, true>(sum, wgmma_operand_at(x, k), wgmma_operand_at(w, k));
  wgmma_commit();
}

// The sums of rows from `row` and of lines of weights from `line` of the tile on.
template <DType kType, int kRows, int kSums>
__device__ __forceinline__ void multiply(float (&sum)[kSums], const Stages<kType, kRows>& stages, const Operands& p,
                                         int row, int line, int steps) {
  constexpr int kStages = Stages<kType, kRows>::kCount, kAhead = kStages - 1;
  for (int step = 0; step < kAhead && step < steps; ++step) load_weights(stages, p, step);  // no kernel writes them
  after_earlier_kernels();
  for (int step = 0; step < kAhead && step < steps; ++step) load_rows(stages, p, step);
  for (int step = 0; step < steps; ++step) {
    const int stage = step % kStages;
    barrier_wait(stages.full + stage, step / kStages % 2);
    proxy_fence();  // rows came by cp.async
    const uint64_t x = wgmma_operand(stages.rows(stage) + row * kTileDepthBytes),
                   w = wgmma_operand(stages.weights(stage) + line * kTileDepthBytes);
    const auto load_ahead = [&] {
      __syncthreads();  // the step before has been read by all
      if (step + kAhead >= steps) return;
      load_weights(stages, p, step + kAhead);
      load_rows(stages, p, step + kAhead);
    };
    if constexpr (kType == DType::e4m3) {
      // Tensor cores keep 14 bits of a sum of E4M3 (DeepSeek-AI 2024, arXiv:2412.19437, section 3.3.2). So they add 128
      // products, and what that gives is added in f32.
      float part[kSums];
      begin_step<kType, false>(part, x, w);
      load_ahead();
      wgmma_wait<0>(part);
#pragma unroll
      for (int i = 0; i < kSums; ++i) sum[i] += part[i];
    } else {
      begin_step<kType, true>(sum, x, w);
      wgmma_wait<1>(sum);
      load_ahead();
    }
  }
  if constexpr (kType != DType::e4m3) wgmma_wait<0>(sum);
}

// Eight columns of this lane and eight of its neighbour's become two times four that lie beside the neighbour's, so
// that both store whole sectors of 32 bytes: from columns 0-7 and 8-15 to 0-3, 8-11 and 4-7, 12-15.
__device__ __forceinline__ void share_with_neighbour(const float (&v)[8], float (&low)[4], float (&high)[4]) {
  const bool odd = lane_of(thread_x()) % 2 != 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float theirs = __shfl_xor_sync(kAllLanes, odd ? v[j] : v[4 + j], 1);
    low[j] = odd ? theirs : v[j];
    high[j] = odd ? v[4 + j] : theirs;
  }
}

// The loops are loops in the code too: an activation has too many instructions to have it there for every sum.
template <DType kType, int kSums>
__device__ __forceinline__ void store(const LinearNarrowArgs& p, float (&sum)[kSums], int64_t row0, int column0) {
  constexpr int kTogether = 16;  // sums of 32 columns
  const int lane = lane_of(thread_x()), row = warp_of(thread_x()) % 4 * 16 + lane / 4;
  const bool at_once = p.y_type == DType::f32 ? can_store_at_once<4>(p) : can_store_at_once<8>(p);
#pragma unroll 1
  for (int i = 0; i < kSums; i += kTogether) {
    const int column = column0 + 2 * i + lane % 4 * 8;
#pragma unroll 1
    for (int half = 0; half < 2; ++half) {
      float v[8];
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        const int at = j / 2 * 4 + j % 2;
        v[j] = half == 0 ? sum[at] : sum[at + 2];
      }
      ColumnTerms<kType, 8>(p, column < 0 ? 0 : column).apply(p, v);
      const int64_t r = row0 + row + half * 8;
      const auto put = [&](int c, auto& some) {
        if (r < p.rows && c >= 0 && c < p.columns)
          store_columns<kType, sizeof(some) / sizeof(float)>(p, r, c, at_once, some);
      };
      if (p.y_type == DType::f32) {
        float low[4], high[4];
        share_with_neighbour(v, low, high);
        put(column - lane % 2 * 4, low);
        put(column - lane % 2 * 4 + 8, high);
      } else {
        put(column, v);
      }
    }
#pragma unroll
    for (int j = kTogether; j < kSums; ++j) sum[j - kTogether] = sum[j];  // an index has to be known to the compiler
  }
}

#endif  // TUWEN_SM90A

template <DType kType, int kRows>
__global__ void __launch_bounds__(kSm90Threads, sm90_blocks(kType, kRows)) linear_sm90_kernel(LinearNarrowArgs p) {
#ifdef TUWEN_SM90A
  TUWEN_SHARED_DYNAMIC(dynamic);
  TUWEN_SHARED(Barrier, barriers, sm90_stages(kType, kRows));
  const Stages<kType, kRows> stages(dynamic, barriers);
  if (thread_x() == 0) stages.init();
  __syncthreads();
  const TilePlace tile =
      sm90_tile(blockIdx.x, ceil_div(p.rows, int64_t{kRows}), ceil_div(p.skipped + p.columns, int64_t{kTileColumns}));
  const auto steps = static_cast<int>(ceil_div(p.k * size_of(kType), int64_t{kTileDepthBytes}));
  constexpr bool kSharesRows = kRows == kGroupRows;
  constexpr int kColumns = kSharesRows ? kTileColumns / kGroups : kTileColumns;
  const int group = thread_x() / kGroupThreads, row = kSharesRows ? 0 : group * kGroupRows,
            column = kSharesRows ? group * kColumns : 0;
  float sum[kGroupRows * kColumns / kGroupThreads] = {};
  multiply(sum, stages, Operands(p, tile.row * kRows, tile.column, steps), row, column, steps);
  store<kType>(p, sum, tile.row * kRows + row, static_cast<int>(tile.column * kTileColumns + column - p.skipped));
#elif defined(__CUDA_ARCH__)
  __trap();
#endif
}

template <DType kType>
void start(Stream stream, const LinearNarrowArgs& p, int tile_rows) {
  launch(sm90_grid(kType, p.rows, p.skipped + p.columns, tile_rows), stream,
         tile_rows == kTallTile ? linear_sm90_kernel<kType, kTallTile> : linear_sm90_kernel<kType, kLowTile>, p);
}

}  // namespace

void linear_sm90_in_tiles(Stream stream, const LinearNarrowArgs& p, int tile_rows) {
  with_narrow_type(p.type, [&](auto type) { start<decltype(type)::value>(stream, p, tile_rows); });
}

void linear_sm90(Stream stream, const LinearNarrowArgs& p) {
  linear_sm90_in_tiles(stream, p, linear_narrow_tile(p.rows, p.columns));
}

}  // namespace tw::cuda
