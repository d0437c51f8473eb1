// Products beyond what kernels/check has: bits, alignments, both heights of tiles, many blocks.
#include <catch2/catch.hpp>
#include <cmath>

#include "kernels/cuda/geometry.h"
#include "tests/cuda/kernels_under_test.h"
#include "tests/cuda/under_test.h"
#include "tests/support/guarded.h"
#include "tests/support/packed.h"
#include "tests/support/random.h"

namespace tw::test {
namespace {

// `x` rounded, rows `stride` apart, `offset` elements behind a 16-byte boundary, at the end of a page.
Guarded<uint16_t> rounded(const std::vector<float>& x, int64_t rows, int64_t k, int64_t stride) {
  std::vector<uint16_t> values(static_cast<size_t>(rows * stride));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < k; ++c)
      values[static_cast<size_t>(r * stride + c)] = f32_to_bf16(x[static_cast<size_t>(r * k + c)]);
  Guarded<uint16_t> memory(rows * stride, values);
  memory.freeze();
  return memory;
}

}  // namespace

TEST_CASE("cuda linear: the bits of sums of 192 of k, then bias, then what was there") {
  Random random(1);
  // 421: a range, and one with what is left; 37 and 421: only with stride k + 3 does x come 16 bytes at a time.
  const int64_t rows = 67, columns = 83, k = GENERATE(37, 421);
  const std::vector<float> x = random.normal_vector(rows * k), w = random.normal_vector(columns * k),
                           bias = random.normal_vector(columns), old = random.normal_vector(rows * columns);
  const PackedMatrix packed = packed_weights(w, columns, k, DType::f32);
  for (const int64_t stride : {k, k + 3}) {
    Guarded<float> xs(rows * stride, Edge::end);
    for (int64_t r = 0; r < rows; ++r) std::copy_n(x.data() + r * k, k, xs.data() + r * stride);
    xs.freeze();
    in_every_order([&] {
      std::vector<float> y = old;
      kernels_under_test().linear({.x = xs.data(),
                                   .x_stride = stride,
                                   .weights = packed.f32_strip_at(0),
                                   .bias = bias.data(),
                                   .y = y.data(),
                                   .y_stride = columns,
                                   .rows = rows,
                                   .columns = columns,
                                   .k = k,
                                   .activation = Activation::linear,
                                   .add_to_output = true});
      int64_t different = 0;
      for (int64_t m = 0; m < rows; ++m) {
        for (int64_t n = 0; n < columns; ++n) {
          float sum = 0;
          for (int64_t first = 0, last; first < k; first = last) {
            last = k - first < 288 ? k : first + 192;
            float part = 0;
            for (int64_t i = first; i < last; ++i)
              part = std::fma(x[static_cast<size_t>(m * k + i)], w[static_cast<size_t>(n * k + i)], part);
            sum += part;
          }
          const auto at = static_cast<size_t>(m * columns + n);
          different += y[at] != (sum + bias[static_cast<size_t>(n)]) + old[at];
        }
      }
      CHECK(different == 0);
    });
  }
}

TEST_CASE("cuda linear_bf16: integers come out exactly from either height of tile, whatever the alignment") {
  Random random(2);
  const int64_t rows = 150, columns = 145, k = 70, depth = bf16_depth(k);
  const std::vector<float> x = random.integer_vector(rows * k), w = random.integer_vector(columns * k),
                           bias = random.integer_vector(columns);
  const PackedMatrix packed = packed_weights(w, columns, k, DType::bf16);
  struct Case {
    int tile;
    int64_t stride;
    bool bf16;
  };
  for (const Case& c : {Case{cuda::kTallTile, depth, false},
                        {cuda::kLowTile, depth, true},
                        {cuda::kTallTile, depth + 2, true},
                        {cuda::kLowTile, depth + 2, false}}) {
    const Guarded<uint16_t> xs = rounded(x, rows, k, c.stride);
    std::vector<float> y(static_cast<size_t>(rows * columns), NAN);
    std::vector<uint16_t> y_bf16(y.size(), 0x7FC0);
    linear_bf16_in_tiles({.x = xs.data(),
                          .x_stride = c.stride,
                          .weights = static_cast<const uint16_t*>(packed.strip_at(0)),
                          .bias = bias.data(),
                          .y = c.bf16 ? static_cast<void*>(y_bf16.data()) : y.data(),
                          .y_stride = columns,
                          .rows = rows,
                          .columns = columns,
                          .k = depth,
                          .activation = Activation::relu,
                          .add_to_output = false,
                          .y_is_bf16 = c.bf16},
                         c.tile);
    int64_t different = 0;
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t n = 0; n < columns; ++n) {
        float sum = bias[static_cast<size_t>(n)];
        for (int64_t i = 0; i < k; ++i) sum += x[static_cast<size_t>(m * k + i)] * w[static_cast<size_t>(n * k + i)];
        const auto at = static_cast<size_t>(m * columns + n);
        const float expected = std::max(sum, 0.0f);
        different += c.bf16 ? y_bf16[at] != f32_to_bf16(expected) : y[at] != expected;
      }
    }
    CAPTURE(c.tile, c.stride, c.bf16);
    CHECK(different == 0);
  }
}

TEST_CASE("cuda linear_bf16: a row has the same bits in any tile, at any place, in any order of threads") {
  Random random(3);
  const int64_t rows = 130, columns = 144, k = 160;  // more steps than stages
  const std::vector<float> x = random.normal_vector(rows * k), w = random.normal_vector(columns * k);
  const PackedMatrix packed = packed_weights(w, columns, k, DType::bf16);
  const Guarded<uint16_t> xs = rounded(x, rows, k, k);
  const auto product = [&](int64_t first, int64_t count, int tile) {
    std::vector<float> y(static_cast<size_t>(count * columns), NAN);
    linear_bf16_in_tiles({.x = xs.data() + first * k,
                          .x_stride = k,
                          .weights = static_cast<const uint16_t*>(packed.strip_at(0)),
                          .bias = nullptr,
                          .y = y.data(),
                          .y_stride = columns,
                          .rows = count,
                          .columns = columns,
                          .k = k,
                          .activation = Activation::quick_gelu,
                          .add_to_output = false},
                         tile);
    return y;
  };
  const uint64_t conflicts = bank_conflicts();
  const std::vector<float> all = product(0, rows, cuda::kTallTile);
  CHECK(bank_conflicts() == conflicts);
  in_every_order([&] {
    CHECK(product(0, rows, cuda::kTallTile) == all);
    CHECK(product(0, rows, cuda::kLowTile) == all);
  });
  for (const int64_t row : {0, 77, 129}) {
    const std::vector<float> one = product(row, 1, cuda::kLowTile);
    CHECK(std::equal(one.begin(), one.end(), all.begin() + row * columns));
  }
}

}  // namespace tw::test
