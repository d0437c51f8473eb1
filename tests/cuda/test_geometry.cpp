// Launch geometry: every row, column and query has a block, and what a launch asks for is what devices have.
#include <catch2/catch.hpp>
#include <vector>

#include "kernels/cuda/geometry.h"
#include "kernels/device_table.h"

namespace tw::test {
namespace {

using namespace tw::cuda;

constexpr int64_t kSharedOfSm86 = 99 * 1024;  // bytes a block may ask for: the least of sm_80, 86, 89 and 90
constexpr int64_t kMostBlocks = (int64_t{1} << 31) - 1;

void check_limits(const Geometry& g) {
  CHECK(g.threads % kWarpSize == 0);
  CHECK(g.threads <= 1024);
  CHECK(g.shared_bytes <= kSharedOfSm86);
  CHECK(g.blocks_x <= kMostBlocks);
  CHECK(g.blocks_y <= 65535);
}

}  // namespace

TEST_CASE("geometry: rows and elements") {
  CHECK(rows_geometry(0, 5).blocks_x == 0);
  CHECK(rows_geometry(5, 0).blocks_x == 0);
  CHECK(rows_geometry(4, 1).blocks_x == 1);
  CHECK(rows_geometry(5, 1).blocks_x == 2);
  CHECK(columns_geometry(7, 3).blocks_x == 7);
  CHECK(columns_geometry(7, 0).blocks_x == 0);
  CHECK(elements_geometry(0).blocks_x == 0);
  CHECK(elements_geometry(256).blocks_x == 1);
  CHECK(elements_geometry(257).blocks_x == 2);
}

TEST_CASE("geometry: products") {
  CHECK(linear_geometry(64, 64).blocks_x == 1);
  CHECK(linear_geometry(65, 129).blocks_x == 2 * 3);
  CHECK(linear_geometry(0, 64).blocks_x == 0);
  // ViT-L/14: one image leaves a device half empty with tall tiles; a batch of 32 fills it.
  CHECK(linear_narrow_tile(257, 4096) == kLowTile);
  CHECK(linear_narrow_tile(32 * 257, 4096) == kTallTile);
  CHECK(linear_narrow_grid(257, 4096, kLowTile).blocks_x == 5 * 32);
  CHECK(linear_narrow_grid(32 * 257, 4096, kTallTile).blocks_x == 65 * 32);
  CHECK(linear_narrow_grid(0, 4096, kLowTile).blocks_x == 0);
  for (const int64_t rows : {1, 50, 197, 257, 577, 50432}) {
    for (const int64_t columns : {1, 512, 768, 1280, 5120}) {
      for (const int tile : {kLowTile, kTallTile}) {
        const Geometry g = linear_narrow_grid(rows, columns, tile);
        check_limits(g);
        CHECK(g.blocks_x * tile * kNarrowColumns >= rows * columns);
      }
    }
  }
}

TEST_CASE("geometry: products by warpgroups") {
  constexpr int64_t kSharedOfSm90 = 228 * 1024, kReserved = 1024;  // bytes of a multiprocessor, and for each block
  for (const int tile : {kLowTile, kTallTile}) {
    for (const DType type : {DType::bf16, DType::f16, DType::e4m3}) {
      const Geometry g = sm90_grid(type, 257, 4096, tile);
      CHECK(g.blocks_x == (tile == kTallTile ? 3 : 5) * 32);
      CHECK(g.threads == 256);
      const int64_t barriers = round_up(int64_t{sm90_stages(type, tile)} * 8, int64_t{128});
      CHECK(sm90_blocks(type, tile) * (g.shared_bytes + barriers + kReserved) <= kSharedOfSm90);
      CHECK(sm90_stage_bytes(tile) % kSwizzleBytes == 0);
      CHECK(sm90_stages(type, tile) >= 3);  // one is multiplied, one has been read, one comes
    }
  }
  CHECK(sm90_grid(DType::bf16, 0, 4096, kLowTile).blocks_x == 0);
  // Every tile has one block, and few rows or columns are under way at a time.
  for (const int64_t rows : {1, 5, 16, 17, 40}) {
    for (const int64_t columns : {1, 6, 24}) {
      std::vector<int> seen(static_cast<size_t>(rows * columns));
      for (int64_t block = 0; block < rows * columns; ++block) {
        const TilePlace t = sm90_tile(block, rows, columns);
        REQUIRE((t.row >= 0 && t.row < rows && t.column >= 0 && t.column < columns));
        ++seen[static_cast<size_t>(t.row * columns + t.column)];
        CHECK(t.row / 16 == block / (16 * columns));
      }
      CHECK(seen == std::vector<int>(seen.size(), 1));
    }
  }
}

TEST_CASE("geometry: attention") {
  CHECK(attention_geometry(3, 12, 197, 64).blocks_x == 3 * 12 * 13);
  CHECK(attention_geometry(3, 12, 197, 64).blocks_y == 1);
  CHECK(attention_geometry(1, 1, 1, 300).blocks_y == 3);
  CHECK(attention_geometry(3, 12, 0, 64).blocks_x == 0);
  CHECK(attention_half_geometry(256, 16, 257, 64).blocks_x == 256 * 16 * 5);
  CHECK(attention_half_geometry(1, 1, 64, 64).blocks_x == 1);
  CHECK(padded_head_width(64) == 64);
  CHECK(padded_head_width(80) == 80);
  CHECK(padded_head_width(65) == 80);
  for (int64_t width = 1; width <= kWidestDeviceHead; ++width)
    check_limits(attention_half_geometry(256, 16, 577, width));
}

TEST_CASE("geometry: rows of attention tiles lie in different banks") {
  // ldmatrix reads 16 bytes of eight rows at once: they must be eight different parts of the 128 bytes of all banks.
  for (int padded = 16; padded <= kWidestDeviceHead; padded += 16) {
    unsigned seen = 0;
    for (int row = 0; row < 8; ++row) seen |= 1u << (row * (padded + 8) * 2 / 16 % 8);
    CHECK(seen == 0xFFu);
  }
}

}  // namespace tw::test
