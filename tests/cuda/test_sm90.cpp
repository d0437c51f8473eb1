// Products by warpgroups, and the weights that they read.
#include <catch2/catch.hpp>

#include "kernels/check/check.h"
#include "kernels/pack.h"
#include "tests/cuda/product_cases.h"
#include "tests/support/packed.h"

namespace tw::test {
namespace {

// By the formulas of the PTX ISA: where the accumulators of a thread have the eight columns from 8 t on (of 32), and
// the 128-byte swizzle, which replaces bits 4 to 6 of an address by their exclusive or with bits 7 to 9.
std::vector<uint8_t> tiles_of(DType type, const std::vector<float>& w, int64_t n, int64_t k, int64_t skipped) {
  constexpr int64_t kColumns = 128, kLine = 128, kTile = kColumns * kLine;
  const int64_t each = size_of(type), tiles = ceil_div(depth_of(type, k) * each, kLine);
  std::vector<uint8_t> packed(static_cast<size_t>(ceil_div(skipped + n, kColumns) * tiles * kTile));
  for (int64_t line = 0; line < round_up(skipped + n, kColumns); ++line) {
    const int64_t fragment = line % 32 / 8, thread = line % 8 / 2, element = line % 2;
    const int64_t column = line / 32 * 32 + 8 * thread + 2 * fragment + element - skipped;
    for (int64_t i = 0; column >= 0 && column < n && i < k; ++i) {
      const int64_t at = line % kColumns * kLine + i * each % kLine;
      put(packed.data() + (line / kColumns * tiles + i * each / kLine) * kTile, type, (at ^ (at >> 7 & 7) << 4) / each,
          w[static_cast<size_t>(column * k + i)]);
    }
  }
  return packed;
}

// For kernels/check, which has strips.
void linear_bf16_sm90(const LinearBf16Args& p) {
  std::vector<float> w(static_cast<size_t>(p.columns * p.k));
  for (int64_t n = 0; n < p.columns; ++n)
    for (int64_t i = 0; i < p.k; ++i)
      w[static_cast<size_t>(n * p.k + i)] =
          bf16_to_f32(p.weights[n / kStrip * kStrip * p.k + (i / 2 * kStrip + n % kStrip) * 2 + i % 2]);
  const std::vector<uint8_t> packed = tiles_of(DType::bf16, w, p.columns, p.k, 0);
  LinearNarrowArgs args = as_narrow(p);
  args.weights = packed.data();
  linear_sm90_in_tiles(args, cuda::linear_narrow_tile(p.rows, p.columns));
}

}  // namespace

TEST_CASE("cuda sm90: weights are packed as the PTX ISA says that they are read") {
  Random random(5);
  const int64_t n = 150, k = 70;
  const std::vector<float> w = random.integer_vector(n * k);
  const std::vector<float> ones(static_cast<size_t>(round_up(n, kStrip)), 1.0f);
  for (const DType type : kNarrow) {
    const PackedMatrix strips =
        type == DType::e4m3 ? packed_weights(w, n, k, DType::bf16).as_e4m3(ones.data()) : packed_weights(w, n, k, type);
    const PackedMatrix tiles = strips.as_tiles();
    const std::vector<uint8_t> expected = tiles_of(type, w, n, k, 0);
    const auto* first = tiles.memory().as<uint8_t>();
    CHECK(std::vector<uint8_t>(first, first + tiles.bytes()) == expected);
    CHECK((tiles.n() == n && tiles.k() == k && tiles.type() == type));
    // A product may begin in the middle of a tile.
    CHECK((strips.skipped_at(144) == 0 && tiles.skipped_at(48) == 48 && tiles.skipped_at(144) == 16));
    CHECK(tiles.strip_at(48) == first);
    CHECK(tiles.strip_at(144) == first + tiles.bytes() / 2);
  }
}

TEST_CASE("cuda linear_sm90: integers come out exactly from either height of tile, whatever type and alignment") {
  if (has_sm90()) check_integers({linear_sm90_in_tiles, tiles_of});
}

TEST_CASE("cuda linear_sm90: a row has the same bits in any tile, at any place, in any order of threads") {
  if (has_sm90()) check_bits({linear_sm90_in_tiles, tiles_of});
}

TEST_CASE("cuda linear_sm90: within the contract of linear_bf16") {
  if (!has_sm90()) return;
  KernelTable table = reference_table();
  table.linear_bf16 = linear_bf16_sm90;
  for (const CheckResult& result : check_table(table, 6)) {
    if (result.name != "linear_bf16") continue;
    INFO(result.detail);
    CHECK(result.passed);
    report("linear_bf16 by wgmma", result.worst);
  }
}

TEST_CASE("cuda linear_sm90: steps of k go round all stages more than twice") {
  if (!has_sm90()) return;
  Random random(7);
  const int64_t rows = 3, columns = 9, k = 14 * 128;
  const std::vector<float> x = random.integer_vector(rows * k), w = random.integer_vector(columns * k);
  for (const DType type : kNarrow) {
    const int64_t part = k / size_of(type);
    std::vector<float> some_x, some_w, expected;
    for (int64_t i = 0; i < rows * part; ++i) some_x.push_back(x[static_cast<size_t>(i / part * k + i % part)]);
    for (int64_t i = 0; i < columns * part; ++i) some_w.push_back(w[static_cast<size_t>(i / part * k + i % part)]);
    for (int64_t i = 0; i < rows * columns; ++i) {
      float sum = 0;
      for (int64_t j = 0; j < part; ++j)
        sum += x[static_cast<size_t>(i / columns * k + j)] * w[static_cast<size_t>(i % columns * k + j)];
      expected.push_back(sum);
    }
    const Guarded<uint8_t> xs = rounded(type, some_x, rows, part, part);
    const std::vector<uint8_t> packed = tiles_of(type, some_w, columns, part, 0);
    in_every_order([&] {
      for (const int tile : {cuda::kLowTile, cuda::kTallTile}) {
        std::vector<float> y(static_cast<size_t>(rows * columns), NAN);
        linear_sm90_in_tiles(plain_product(type, xs.data(), packed, y.data(), rows, columns, part), tile);
        CHECK(y == expected);
      }
    });
  }
}

TEST_CASE("cuda linear_sm90: sums of E4M3 have more digits than tensor cores keep") {
  if (!has_sm90()) return;
  // 16 * 16 * 128 = 2^15, and then a one for every 128 of k.
  const int64_t k = 4 * 128;
  std::vector<float> x(static_cast<size_t>(k), 0.0f), w(static_cast<size_t>(k), 16.0f);
  for (int64_t i = 0; i < k; i += 128) x[static_cast<size_t>(i)] = 0.0625f;
  for (int64_t i = 0; i < 128; ++i) x[static_cast<size_t>(i)] = 16.0f;
  const std::vector<uint8_t> packed = tiles_of(DType::e4m3, w, 1, k, 0);
  const Guarded<uint8_t> xs = rounded(DType::e4m3, x, 1, k, k);
  for (const int tile : {cuda::kLowTile, cuda::kTallTile}) {
    float y = 0;
    linear_sm90_in_tiles(plain_product(DType::e4m3, xs.data(), packed, &y, 1, 1, k), tile);
    CHECK(y == 32768.0f + 3.0f);
  }
}

}  // namespace tw::test
