// linear, its eight-bit form, quantisation, similarity.
#include <algorithm>

#include "kernels/check/evidence.h"

namespace tw::check {
namespace {

struct Shape {
  int64_t rows, columns, k;
};
// Every height of a register tile; columns and k around vectors, strips and panels.
constexpr Shape kShapes[] = {{1, 1, 1},   {2, 16, 7},  {3, 17, 64}, {4, 48, 33},
                             {5, 63, 16}, {6, 64, 80}, {7, 65, 15}, {25, 129, 19}};

struct Mode {
  bool bias, add;
  Activation activation;
};
constexpr Mode kModes[] = {{false, false, Activation::linear},
                           {true, false, Activation::linear},
                           {true, true, Activation::linear},
                           {true, false, Activation::relu}};

// Integers must come out exactly, other numbers within (k + 2) eps of their terms. Relu moves neither.
template <class Draw>
void check_linear(const KernelTable& table, const char* what, Shape s, Mode mode, bool exact, Draw draw,
                  Verdict& verdict) {
  const Matrix x(s.rows, s.k, draw), w(s.columns, s.k, draw), bias(1, s.columns, draw), old(s.rows, s.columns, draw);
  Matrix y = mode.add ? old : Matrix(s.rows, s.columns);
  Lines<float> weights = pack_f32(w);
  table.linear({.x = x.data(),
                .x_stride = x.stride(),
                .weights = weights.data(),
                .bias = mode.bias ? bias.data() : nullptr,
                .y = y.data(),
                .y_stride = y.stride(),
                .rows = s.rows,
                .columns = s.columns,
                .k = s.k,
                .activation = mode.activation,
                .add_to_output = mode.add});
  verdict.intact(what, y);
  for (int64_t m = 0; m < s.rows; ++m) {
    for (int64_t n = 0; n < s.columns; ++n) {
      double sum = (mode.bias ? bias.value(0, n) : 0) + (mode.add ? old.value(m, n) : 0);
      double terms = (mode.bias ? std::abs(bias.value(0, n)) : 0) + (mode.add ? std::abs(old.value(m, n)) : 0);
      for (int64_t k = 0; k < s.k; ++k) {
        sum += x.value(m, k) * w.value(n, k);
        terms += std::abs(x.value(m, k) * w.value(n, k));
      }
      if (mode.activation == Activation::relu) sum = std::max(0.0, sum);
      verdict.near(what, m, n, y.at(m, n), sum, exact ? 0 : (static_cast<double>(s.k) + 2) * kUnit * terms);
    }
  }
}

}  // namespace

void linear(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const Shape& s : kShapes) {
    for (const Mode& mode : kModes) {
      check_linear(
          table, "integers", s, mode, true, [&] { return random.integer(-4, 4); }, verdict);
      check_linear(
          table, "numbers", s, mode, false, [&] { return random.uniform(-2, 2); }, verdict);
    }
  }
}

void linear_int8(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const Shape& s : kShapes) {
    for (const Mode& mode : kModes) {
      const int64_t k = int8_depth(s.k), padded = (s.columns + kStrip - 1) / kStrip * kStrip;
      std::vector<uint8_t> x(static_cast<size_t>(s.rows * k));
      for (uint8_t& v : x) v = static_cast<uint8_t>(random.integer(0, 255));
      std::vector<int64_t> sums(static_cast<size_t>(s.rows * s.columns));
      Lines<int8_t> weights(padded * k);
      std::vector<int32_t> w_sum(static_cast<size_t>(padded)), x_zero(static_cast<size_t>(s.rows));
      for (int32_t& v : x_zero) v = static_cast<int32_t>(random.integer(0, 255));
      for (int64_t n = 0; n < s.columns; ++n) {
        for (int64_t i = 0; i < s.k; ++i) {
          const int64_t w = random.integer(-127, 127);
          weights.data()[n / kStrip * kStrip * k + (i / 4 * kStrip + n % kStrip) * 4 + i % 4] = static_cast<int8_t>(w);
          w_sum[static_cast<size_t>(n)] += static_cast<int32_t>(w);
          for (int64_t m = 0; m < s.rows; ++m)
            sums[static_cast<size_t>(m * s.columns + n)] +=
                w * (x[static_cast<size_t>(m * k + i)] - x_zero[static_cast<size_t>(m)]);
        }
      }
      const auto scale = [&] { return random.uniform(1e-3f, 1e-2f); };
      const auto number = [&] { return random.uniform(-2, 2); };
      const Matrix x_scale(1, s.rows, scale), bias(1, s.columns, number), old(s.rows, s.columns, number);
      const Matrix w_scale(1, padded, scale);
      Matrix y = mode.add ? old : Matrix(s.rows, s.columns);
      table.linear_int8({.x = x.data(),
                         .x_stride = k,
                         .x_scale = x_scale.data(),
                         .x_zero = x_zero.data(),
                         .weights = weights.data(),
                         .w_scale = w_scale.data(),
                         .w_sum = w_sum.data(),
                         .bias = mode.bias ? bias.data() : nullptr,
                         .y = y.data(),
                         .y_stride = y.stride(),
                         .rows = s.rows,
                         .columns = s.columns,
                         .k = k,
                         .activation = mode.activation,
                         .add_to_output = mode.add});
      verdict.intact("numbers", y);
      for (int64_t m = 0; m < s.rows; ++m) {
        for (int64_t n = 0; n < s.columns; ++n) {
          const double product = x_scale.value(0, m) * w_scale.value(0, n) *
                                 static_cast<double>(sums[static_cast<size_t>(m * s.columns + n)]);
          const double b = mode.bias ? bias.value(0, n) : 0, o = mode.add ? old.value(m, n) : 0;
          double sum = product + b + o;
          if (mode.activation == Activation::relu) sum = std::max(0.0, sum);
          // Rounded: the scale, the sum as f32, their product, and both additions.
          verdict.near("numbers", m, n, y.at(m, n), sum, 5 * kUnit * (std::abs(product) + std::abs(b) + std::abs(o)));
        }
      }
    }
  }
}

void quantize(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const int64_t columns : {1, 7, 16, 33, 80}) {
    for (const bool multiplied : {false, true}) {
      const int64_t rows = 5, y_columns = int8_depth(columns), y_stride = y_columns + 4;
      Matrix x(rows, columns, [&] { return random.uniform(-3, 3); });
      const Matrix multiplier(1, columns, [&] { return random.uniform(0.5f, 2); });
      for (int64_t c = 0; c < columns; ++c) x.at(1, c) = 0;
      x.at(2, columns - 1) = std::numeric_limits<float>::infinity();
      for (int64_t c = 0; c < columns; ++c) x.at(3, c) = std::abs(x.at(3, c));  // all on one side of zero
      std::vector<uint8_t> y(static_cast<size_t>(rows * y_stride), 77);
      Matrix scale(1, rows);
      std::vector<int32_t> zero(static_cast<size_t>(rows), -1);
      table.quantize({.x = x.data(),
                      .x_stride = x.stride(),
                      .multiplier = multiplied ? multiplier.data() : nullptr,
                      .y = y.data(),
                      .y_stride = y_stride,
                      .x_scale = scale.data(),
                      .x_zero = zero.data(),
                      .rows = rows,
                      .columns = columns,
                      .y_columns = y_columns});
      verdict.intact("scales", scale);
      for (int64_t r = 0; r < rows; ++r) {
        const auto value = [&](int64_t c) { return x.value(r, c) * (multiplied ? multiplier.value(0, c) : 1); };
        double low = 0, high = 0;
        for (int64_t c = 0; c < columns; ++c) low = std::min(low, value(c)), high = std::max(high, value(c));
        double range = high - low;
        if (r == 2) range = std::numeric_limits<double>::quiet_NaN();
        verdict.near("scale of a row", r, 0, scale.at(0, r), range / 255, 4 * kUnit * range / 255);
        const double origin = r != 2 && range > 0 ? -low / range * 255 : 0;
        const int z = zero[static_cast<size_t>(r)];
        verdict.near("zero of a row", r, 0, static_cast<float>(z), origin, 0.5001);
        for (int64_t c = 0; c < y_stride; ++c) {
          const int level = y[static_cast<size_t>(r * y_stride + c)];
          const bool number = c < columns && r != 2 && range > 0;
          const double expected = number ? std::clamp(value(c) / range * 255 + z, 0.0, 255.0) : c < y_columns ? 0 : 77;
          // Rounding may go either way close to a tie.
          verdict.near("level", r, c, static_cast<float>(level), expected, number ? 0.5001 : 0);
        }
      }
    }
  }
}

void similarity(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const int64_t k : {1, 7, 16, 33, 512}) {
    for (const bool integers : {true, false}) {
      const auto draw = [&] { return integers ? static_cast<float>(random.integer(-4, 4)) : random.uniform(-1, 1); };
      const Matrix x(3, k, draw), z(5, k, draw);
      Matrix y(3, 5);
      const float scale = integers ? 0.5f : 14.3f;
      table.similarity({x.data(), x.stride(), z.data(), z.stride(), y.data(), y.stride(), 3, 5, k, scale});
      verdict.intact("similarities", y);
      for (int64_t m = 0; m < 3; ++m) {
        for (int64_t n = 0; n < 5; ++n) {
          double sum = 0, terms = 0;
          for (int64_t i = 0; i < k; ++i) {
            sum += static_cast<double>(scale) * x.value(m, i) * z.value(n, i);
            terms += std::abs(static_cast<double>(scale) * x.value(m, i) * z.value(n, i));
          }
          verdict.near("similarities", m, n, y.at(m, n), sum,
                       integers ? 0 : 2 * static_cast<double>(k) * kUnit * terms);
        }
      }
    }
  }
}

}  // namespace tw::check
