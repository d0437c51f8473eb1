// What is done to results of a library's products.
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/cuda/kernels_under_test.h"
#include "tests/cuda/under_test.h"
#include "tests/support/random.h"

namespace tw::test {
namespace {

constexpr uint16_t kOldBits = 0x1234;

uint16_t rounded(DType type, float v) { return type == DType::f16 ? f32_to_f16(v) : f32_to_bf16(v); }
double widened(DType type, uint16_t bits) {
  return static_cast<double>(type == DType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits));
}
double activated(Activation activation, double x) {
  return activation == Activation::gelu ? 0.5 * x * std::erfc(-std::sqrt(0.5) * x) : x / (1 + std::exp(-1.702 * x));
}

}  // namespace

TEST_CASE("cuda activate: in place, wherever rows begin, and nothing beside them") {
  Random random(1);
  for (const DType type : {DType::bf16, DType::f16}) {
    for (const Activation activation : {Activation::gelu, Activation::quick_gelu}) {
      for (const int64_t columns : {1, 7, 64, 1100}) {  // more than the threads of a block at once
        for (const int64_t gap : {0, 3, 8}) {
          const int64_t rows = 3, stride = columns + gap;
          std::vector<uint16_t> x(static_cast<size_t>(rows * stride), kOldBits), y;
          for (int64_t i = 0; i < rows * columns; ++i)
            x[static_cast<size_t>(i / columns * stride + i % columns)] =
                rounded(type, static_cast<float>(3 * random.normal()));
          y = x;
          in_every_order([&] {
            y = x;
            activate_rows({type, y.data(), stride, rows, columns, activation});
          });
          const double unit = type == DType::f16 ? 0x1p-11 : 0x1p-8;
          int64_t wrong = 0, beside = 0;
          for (int64_t i = 0; i < rows * stride; ++i) {
            const auto at = static_cast<size_t>(i);
            if (i % stride >= columns) {
              beside += y[at] != kOldBits;
              continue;
            }
            const double expected = activated(activation, widened(type, x[at]));
            wrong += !(std::abs(widened(type, y[at]) - expected) <= unit * std::abs(expected) + 0x1p-24);
          }
          CAPTURE(name(type), columns, gap);
          CHECK(wrong == 0);
          CHECK(beside == 0);
        }
      }
    }
  }
}

TEST_CASE("cuda activate: numbers beyond those of f16 are what they would have become") {
  for (const int64_t columns : {2, 16}) {
    for (const Activation activation : {Activation::gelu, Activation::quick_gelu}) {
      std::vector<uint16_t> x(16, 0xFC00);
      x[1] = 0x7C00;
      activate_rows({DType::f16, x.data(), columns, 1, columns, activation});
      CHECK((x[0] & 0x7FFF) == 0);
      CHECK(x[1] == 0x7C00);
    }
  }
}

TEST_CASE("cuda compare_rows: the worst number of each row by what is permitted, and what is not finite") {
  Random random(2);
  const int64_t rows = 6, columns = 70, stride = 73;
  for (const DType type : {DType::f32, DType::bf16, DType::f16}) {
    const auto count = static_cast<size_t>(rows * stride);
    std::vector<float> x = random.normal_vector(rows * stride), worst(static_cast<size_t>(rows), -1.0f);
    if (type != DType::f32)
      for (float& v : x) v = static_cast<float>(widened(type, rounded(type, v)));
    std::vector<float> y = x;
    const auto at = [=](int64_t row, int64_t column) { return static_cast<size_t>(row * stride + column); };
    y[at(1, 69)] += 2.0f, y[at(1, 3)] -= 1.0f;
    y[at(2, 0)] = NAN;
    y[at(3, 40)] = -HUGE_VALF;
    x[at(4, 33)] = NAN;
    x[at(5, 1)] = y[at(5, 1)] = HUGE_VALF;
    y[at(0, 71)] = NAN;  // between rows
    std::vector<uint16_t> x_bits(count), y_bits(count);
    for (size_t i = 0; i < count; ++i) x_bits[i] = rounded(type, x[i]), y_bits[i] = rounded(type, y[i]);
    const bool f32 = type == DType::f32;
    in_every_order([&] {
      compare_rows({.type = type,
                    .x = f32 ? static_cast<const void*>(x.data()) : x_bits.data(),
                    .y = f32 ? static_cast<const void*>(y.data()) : y_bits.data(),
                    .stride = stride,
                    .rows = rows,
                    .columns = columns,
                    .each = 0.25f,
                    .row = 0.5f,
                    .worst = worst.data()});
    });
    double squares = 0, expected = 0;
    for (int64_t c = 0; c < columns; ++c) squares += std::pow(static_cast<double>(x[at(1, c)]), 2);
    for (const int64_t c : {3, 69}) {
      const double y_there = f32 ? static_cast<double>(y[at(1, c)]) : widened(type, y_bits[at(1, c)]);
      const double x_there = static_cast<double>(x[at(1, c)]);
      expected = std::max(
          expected, std::abs(y_there - x_there) / (0.25 * std::abs(x_there) + 0.5 * std::sqrt(squares / columns)));
    }
    CAPTURE(name(type));
    CHECK(worst[0] == 0.0f);
    CHECK(static_cast<double>(worst[1]) == Approx(expected).epsilon(1e-5));
    CHECK(worst[2] == HUGE_VALF);
    CHECK(worst[3] == HUGE_VALF);
    CHECK(std::isnan(worst[4]));
    CHECK(std::isnan(worst[5]));
  }
}

}  // namespace tw::test
