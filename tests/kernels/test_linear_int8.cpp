// Eight-bit products and the quantisation of their activations.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/buffer.h"
#include "core/cpu_info.h"
#include "kernels/kernel_table.h"
#include "kernels/select.h"
#include "tests/support/random.h"

using namespace tw;
using namespace tw::test;

namespace {

std::vector<const KernelTable*> int8_tables() { return available_tables(query_cpu()); }

struct Problem {
  int64_t rows, columns, k, k_padded, columns_padded;
  std::vector<uint8_t> x;
  std::vector<int8_t> w;  // [columns, k], plain
  Buffer packed;
  std::vector<int32_t> w_sum, x_zero;
  std::vector<float> x_scale, w_scale, bias, y0;

  Problem(int64_t m, int64_t n, int64_t depth, Random& random)
      : rows(m), columns(n), k(depth), k_padded(int8_depth(depth)), columns_padded((n + 15) / 16 * 16) {
    packed = Buffer(columns_padded * k_padded, "test");
    x.resize(static_cast<size_t>(rows * k_padded), 77);
    for (uint8_t& v : x) v = static_cast<uint8_t>(random.integer(0, 255));
    w.resize(static_cast<size_t>(columns * k));
    w_sum.assign(static_cast<size_t>(columns_padded), 0);
    for (int64_t r = 0; r < m; ++r) x_zero.push_back(static_cast<int32_t>(random.integer(0, 255)));
    w_scale.assign(static_cast<size_t>(columns_padded), 0);
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t i = 0; i < k; ++i) {
        const auto v = static_cast<int8_t>(random.integer(-127, 127));
        w[static_cast<size_t>(c * k + i)] = v;
        packed.as<int8_t>()[c / 16 * 16 * k_padded + (i / 4 * 16 + c % 16) * 4 + i % 4] = v;
        w_sum[static_cast<size_t>(c)] += v;
      }
      w_scale[static_cast<size_t>(c)] = static_cast<float>(random.uniform(1e-4, 1e-2));
    }
    x_scale = random.uniform_vector(rows, 1e-3, 1e-1);
    bias = random.uniform_vector(columns, -1, 1);
    y0 = random.uniform_vector(rows * columns, -1, 1);
  }

  LinearInt8Args args(float* y) const {
    return {.x = x.data(),
            .x_stride = k_padded,
            .x_scale = x_scale.data(),
            .x_zero = x_zero.data(),
            .weights = packed.as<int8_t>(),
            .w_scale = w_scale.data(),
            .w_sum = w_sum.data(),
            .bias = bias.data(),
            .y = y,
            .y_stride = columns,
            .rows = rows,
            .columns = columns,
            .k = k_padded,
            .activation = Activation::linear,
            .add_to_output = false};
  }

  double exact(int64_t m, int64_t n) const {
    int64_t sum = 0;
    for (int64_t i = 0; i < k; ++i)
      sum += (static_cast<int64_t>(x[static_cast<size_t>(m * k_padded + i)]) - x_zero[static_cast<size_t>(m)]) *
             w[static_cast<size_t>(n * k + i)];
    return static_cast<double>(sum) * static_cast<double>(x_scale[static_cast<size_t>(m)]) *
           static_cast<double>(w_scale[static_cast<size_t>(n)]);
  }
};

}  // namespace

TEST_CASE("eight-bit products are exact sums, scaled once") {
  Random random(21);
  for (const auto& [m, n, k] : {std::tuple{1, 1, 1},
                                {1, 16, 4},
                                {2, 17, 5},
                                {5, 63, 64},
                                {6, 64, 128},
                                {7, 65, 30},
                                {13, 80, 147},
                                {23, 130, 768},
                                {3, 16, 5120}}) {
    const Problem p(m, n, k, random);
    for (const KernelTable* table : int8_tables()) {
      INFO(table->name << " " << m << "x" << n << "x" << k);
      std::vector<float> y(static_cast<size_t>(m * n), std::numeric_limits<float>::quiet_NaN()), added = p.y0,
                                                                                                 active = y;
      table->linear_int8(p.args(y.data()));
      LinearInt8Args args = p.args(added.data());
      args.add_to_output = true;
      table->linear_int8(args);
      args = p.args(active.data());
      args.activation = Activation::relu;
      table->linear_int8(args);
      double worst = 0;
      for (int64_t i = 0; i < m * n; ++i) {
        const auto at = static_cast<size_t>(i);
        const double product = p.exact(i / n, i % n), bias = static_cast<double>(p.bias[static_cast<size_t>(i % n)]);
        const double expected = product + bias, size = std::fabs(product) + std::fabs(bias) + 1;
        worst = std::max(worst, std::fabs(static_cast<double>(y[at]) - expected) / size);
        worst = std::max(worst,
                         std::fabs(static_cast<double>(added[at]) - expected - static_cast<double>(p.y0[at])) / size);
        worst = std::max(worst, std::fabs(static_cast<double>(active[at]) - std::max(0.0, expected)) / size);
      }
      CHECK(worst < 4 * 0x1p-24);  // three or four roundings
    }
  }
}

TEST_CASE("sums at the edge of 32 bits do not wrap or saturate") {
  Random random(22);
  Problem p(2, 16, 4096, random);
  std::fill(p.x.begin(), p.x.end(), uint8_t{255});
  std::fill(p.x_zero.begin(), p.x_zero.end(), 128);
  for (int64_t c = 0; c < 16; ++c) {
    for (int64_t i = 0; i < p.k; ++i) {
      p.w[static_cast<size_t>(c * p.k + i)] = 127;
      p.packed.as<int8_t>()[(i / 4 * 16 + c) * 4 + i % 4] = 127;
    }
    p.w_sum[static_cast<size_t>(c)] = 127 * 4096;
  }
  for (const KernelTable* table : int8_tables()) {
    std::vector<float> y(32);
    table->linear_int8(p.args(y.data()));
    CHECK(y[5] == Approx(p.exact(0, 5) + static_cast<double>(p.bias[5])).epsilon(1e-6));
  }
}

TEST_CASE("quantised rows are within half a step, with their own scale and a multiplier") {
  Random random(23);
  for (const int64_t columns : {1, 3, 8, 15, 16, 17, 64, 100, 771}) {
    const int64_t rows = 3, padded = int8_depth(columns);
    const std::vector<float> x = random.normal_vector(rows * columns, 3.0),
                             multiplier = random.uniform_vector(columns, 0.1, 2);
    for (const bool multiplied : {false, true}) {
      for (const KernelTable* table : int8_tables()) {
        INFO(table->name << " " << columns);
        std::vector<uint8_t> q(static_cast<size_t>(rows * padded), 1);
        std::vector<float> scale(static_cast<size_t>(rows));
        std::vector<int32_t> zero(static_cast<size_t>(rows), -1);
        table->quantize({x.data(), columns, multiplied ? multiplier.data() : nullptr, q.data(), padded, scale.data(),
                         zero.data(), rows, columns, padded});
        for (int64_t r = 0; r < rows; ++r) {
          float low = 0, high = 0;
          bool good = true;
          for (int64_t c = 0; c < columns; ++c) {
            const float v =
                x[static_cast<size_t>(r * columns + c)] * (multiplied ? multiplier[static_cast<size_t>(c)] : 1.0f);
            low = std::min(low, v), high = std::max(high, v);
            const float back =
                static_cast<float>(q[static_cast<size_t>(r * padded + c)] - zero[static_cast<size_t>(r)]) *
                scale[static_cast<size_t>(r)];
            // The ends of the range may be held to 0 or 255 after the zero point was rounded: half a step more.
            good = good &&
                   std::fabs(back - v) <= (v == low || v == high ? 1.001f : 0.5001f) * scale[static_cast<size_t>(r)];
          }
          for (int64_t c = columns; c < padded; ++c) good = good && q[static_cast<size_t>(r * padded + c)] == 0;
          CHECK(good);
          CHECK(scale[static_cast<size_t>(r)] == Approx((high - low) / 255));
        }
      }
    }
  }
}

TEST_CASE("a row of zeros quantises to zeros, a row with a NaN or an infinity to a NaN scale") {
  for (const KernelTable* table : int8_tables()) {
    for (const float bad : {0.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      for (const size_t place : {size_t{0}, size_t{9}, size_t{36}}) {
        std::vector<float> x(37, 0.0f);
        x[place] = bad;
        std::vector<uint8_t> q(64, 9);
        float scale = 5;
        int32_t zero = 7;
        table->quantize({x.data(), 37, nullptr, q.data(), 64, &scale, &zero, 1, 37, 64});
        if (bad == 0.0f) {
          CHECK(scale == 0.0f);
        } else {
          CHECK(std::isnan(scale));
        }
        CHECK(std::count(q.begin(), q.end(), uint8_t{0}) == 64);
        CHECK(zero == 0);
      }
    }
  }
}
