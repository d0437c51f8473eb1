// Products beyond what kernels/check has: bits, alignments, both heights of tiles, many blocks.
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/cuda/product_cases.h"
#include "tests/support/packed.h"

namespace tw::test {

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

TEST_CASE("cuda linear_narrow: integers come out exactly from either height of tile, whatever type and alignment") {
  check_integers({linear_narrow_in_tiles, strips_of});
}

TEST_CASE("cuda linear_narrow: a row has the same bits in any tile, at any place, in any order of threads") {
  check_bits({linear_narrow_in_tiles, strips_of});
}

}  // namespace tw::test
