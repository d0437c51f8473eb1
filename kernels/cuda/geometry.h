// Launch geometry: from shapes to grids, as pure functions, and the tile sizes that kernels and grids agree on.
#pragma once

#include <cstdint>

#include "core/checked_math.h"
#include "kernels/cuda/launch.h"
#include "kernels/weight_tiles.h"

namespace tw::cuda {

// One warp a row, four rows a block.
constexpr int kRowWarps = 4;
inline Geometry rows_geometry(int64_t rows, int64_t columns) {
  return {.blocks_x = columns == 0 ? 0 : ceil_div(rows, int64_t{kRowWarps}), .threads = kRowWarps * kWarpSize};
}

// One block a row, its threads along the columns.
constexpr int kColumnThreads = 128;
inline Geometry columns_geometry(int64_t rows, int64_t columns) {
  return {.blocks_x = columns == 0 ? 0 : rows, .threads = kColumnThreads};
}

// One thread an element.
constexpr int kElementThreads = 256;
inline Geometry elements_geometry(int64_t count) {
  return {.blocks_x = ceil_div(count, int64_t{kElementThreads}), .threads = kElementThreads};
}

// Products in f32: a block of 256 threads computes 64 x 64, a thread 4 x 4, k in steps of 16.
constexpr int kF32Tile = 64, kF32Depth = 16, kF32Threads = 256;
inline Geometry linear_geometry(int64_t rows, int64_t columns) {
  return {.blocks_x = ceil_div(rows, int64_t{kF32Tile}) * ceil_div(columns, int64_t{kF32Tile}), .threads = kF32Threads};
}

// Products on tensor cores: a block computes rows x 128, a warp 64 x 32 (of 128 rows) or 32 x 32 (of 64), k in steps of
// 64 bytes (a line of activations), kNarrowStages steps under way. Tall tiles where they fill the device, else the low
// ones; either has the same bits, for a sum runs over k alone.
constexpr int kNarrowColumns = 128, kNarrowDepthBytes = 64, kNarrowStages = 3, kNarrowThreads = 256;
constexpr int64_t narrow_shared_bytes(int tile_rows) {
  return int64_t{kNarrowStages} * (tile_rows + kNarrowColumns) * kNarrowDepthBytes;
}
constexpr int kTallTile = 128, kLowTile = 64;
// Blocks that share a multiprocessor: as many as leave each thread the registers that it needs.
constexpr int linear_narrow_blocks(DType type, int tile_rows) {
  return tile_rows == kLowTile && type != DType::e4m3 ? 2 : 1;
}
inline int linear_narrow_tile(int64_t rows, int64_t columns) {
  constexpr int64_t kEnoughBlocks = 128;  // about as many as the devices of sm_80 and newer have multiprocessors
  const int64_t blocks = ceil_div(rows, int64_t{kTallTile}) * ceil_div(columns, int64_t{kNarrowColumns});
  return blocks >= kEnoughBlocks ? kTallTile : kLowTile;
}
inline Geometry linear_narrow_grid(int64_t rows, int64_t columns, int tile_rows) {
  return {.blocks_x = ceil_div(rows, int64_t{tile_rows}) * ceil_div(columns, int64_t{kNarrowColumns}),
          .threads = kNarrowThreads,
          .shared_bytes = narrow_shared_bytes(tile_rows)};
}

// The same by warpgroups (linear_sm90.cu): a block computes rows x 128 as well, by two warpgroups; k in steps of 128
// bytes, and a ring of as many stages as the blocks that share a multiprocessor have room for. What a swizzle repeats
// after has to be aligned, and dynamic shared memory need not be.
constexpr int kGroupThreads = 128, kSm90Threads = 2 * kGroupThreads, kSwizzleBytes = 1024;
constexpr int sm90_blocks(DType type, int tile_rows) { return tile_rows == kTallTile && type == DType::e4m3 ? 1 : 2; }
constexpr int sm90_stages(DType type, int tile_rows) {
  return tile_rows == kLowTile ? 4 : sm90_blocks(type, tile_rows) == 1 ? 6 : 3;
}
constexpr int sm90_stage_bytes(int tile_rows) { return (tile_rows + kTileColumns) * kTileDepthBytes; }
inline Geometry sm90_grid(DType type, int64_t rows, int64_t columns, int tile_rows) {
  return {.blocks_x = ceil_div(rows, int64_t{tile_rows}) * ceil_div(columns, int64_t{kTileColumns}),
          .threads = kSm90Threads,
          .shared_bytes = sm90_stages(type, tile_rows) * sm90_stage_bytes(tile_rows) + kSwizzleBytes};
}
// Blocks that run at the same time share rows and columns, so that what they read stays in L2: down 16 rows of tiles,
// then across.
struct TilePlace {
  int64_t row, column;
};
constexpr TilePlace sm90_tile(int64_t block, int64_t row_tiles, int64_t column_tiles) {
  constexpr int64_t kBand = 16;
  const int64_t first = block / (kBand * column_tiles) * kBand, in_band = block % (kBand * column_tiles);
  const int64_t rows = row_tiles - first < kBand ? row_tiles - first : kBand;
  return {first + in_band % rows, in_band / rows};
}

// Attention in f32: a block has 16 queries of one head, four a warp; keys come 32 at a time, columns of the result in
// chunks of 128.
constexpr int kAttentionWarps = 4, kWarpQueries = 4, kBlockQueries = kAttentionWarps * kWarpQueries;
constexpr int kOutChunk = 128;
inline Geometry attention_geometry(int64_t items, int64_t heads, int64_t most_queries, int64_t width) {
  return {.blocks_x = items * heads * ceil_div(most_queries, int64_t{kBlockQueries}),
          .blocks_y = ceil_div(width, int64_t{kOutChunk}),
          .threads = kAttentionWarps * kWarpSize};
}

// Attention in bf16 or f16: a block has 64 queries of one head, 16 a warp; keys come 64 at a time. Rows of a tile are
// padded_width elements and 16 bytes more, so that eight of them lie in different banks.
constexpr int kTileQueries = 64, kTileKeys = 64;
inline int padded_head_width(int64_t width) { return static_cast<int>(round_up(width, int64_t{16})); }
constexpr int64_t attention_half_shared_bytes(int padded_width) {
  return int64_t{kTileQueries + 4 * kTileKeys} * (padded_width + 8) * 2;  // Q, and K and V twice
}
// Blocks that share a multiprocessor: as many as leave each thread the registers that it needs.
constexpr int attention_half_blocks(int padded_width) { return padded_width <= 64 ? 3 : 2; }
inline Geometry attention_half_geometry(int64_t items, int64_t heads, int64_t most_queries, int64_t width) {
  return {.blocks_x = items * heads * ceil_div(most_queries, int64_t{kTileQueries}),
          .threads = kTileQueries / 16 * kWarpSize,
          .shared_bytes = attention_half_shared_bytes(padded_head_width(width))};
}

}  // namespace tw::cuda
