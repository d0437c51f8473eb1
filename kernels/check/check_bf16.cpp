// Products and attention of bf16 numbers.
#include <algorithm>
#include <limits>

#include "kernels/check/evidence.h"

namespace tw::check {
namespace {

struct Shape {
  int64_t rows, columns, k;
};
// Heights of register tiles of six and of sixteen rows; columns and k around strips, panels and lines.
constexpr Shape kShapes[] = {{1, 1, 1},    {3, 17, 64},  {5, 63, 16},  {6, 64, 80},  {7, 65, 31},
                             {16, 48, 33}, {17, 33, 96}, {31, 80, 32}, {33, 16, 64}, {49, 129, 40}};

// Weights [n, k] packed as kernel_table.h says.
Lines<uint16_t> pack(const Matrix& w) {
  const int64_t n = w.rows(), depth = bf16_depth(w.columns());
  Lines<uint16_t> packed((n + kStrip - 1) / kStrip * kStrip * depth);
  for (int64_t c = 0; c < n; ++c)
    for (int64_t i = 0; i < w.columns(); ++i)
      packed.data()[c / kStrip * kStrip * depth + (i / 2 * kStrip + c % kStrip) * 2 + i % 2] =
          tw::f32_to_bf16(w.at(c, i));
  return packed;
}

struct Mode {
  bool bias, add, bf16;
  Activation activation;
};
constexpr Mode kModes[] = {{false, false, false, Activation::linear}, {true, false, false, Activation::relu},
                           {true, true, false, Activation::linear},   {true, false, true, Activation::linear},
                           {true, false, true, Activation::relu},     {false, false, true, Activation::quick_gelu}};

double activated(Activation activation, double x) {
  if (activation == Activation::relu) return std::max(0.0, x);
  if (activation == Activation::quick_gelu) return x / (1 + std::exp(-1.702 * x));
  return x;
}

template <class Draw>
void check_linear(const KernelTable& table, const char* what, Shape s, Mode mode, bool exact, Draw draw,
                  Verdict& verdict) {
  const Matrix x_values(s.rows, s.k, draw), w(s.columns, s.k, draw), bias(1, s.columns, draw),
      old(s.rows, s.columns, draw);
  const Bf16Matrix x(x_values), w_rounded(w);
  Matrix y = mode.add ? old : Matrix(s.rows, s.columns);
  Bf16Matrix y_bf16(s.rows, s.columns);
  Lines<uint16_t> weights = pack(w);
  table.linear_bf16({.x = x.data(),
                     .x_stride = x.stride(),
                     .weights = weights.data(),
                     .bias = mode.bias ? bias.data() : nullptr,
                     .y = mode.bf16 ? static_cast<void*>(y_bf16.data()) : y.data(),
                     .y_stride = mode.bf16 ? y_bf16.stride() : y.stride(),
                     .rows = s.rows,
                     .columns = s.columns,
                     .k = bf16_depth(s.k),
                     .activation = mode.activation,
                     .add_to_output = mode.add,
                     .y_is_bf16 = mode.bf16});
  if (mode.bf16) {
    verdict.intact(what, y_bf16);
  } else {
    verdict.intact(what, y);
  }
  for (int64_t m = 0; m < s.rows; ++m) {
    for (int64_t n = 0; n < s.columns; ++n) {
      double sum = (mode.bias ? bias.value(0, n) : 0) + (mode.add ? old.value(m, n) : 0);
      double terms = (mode.bias ? std::abs(bias.value(0, n)) : 0) + (mode.add ? std::abs(old.value(m, n)) : 0);
      for (int64_t k = 0; k < s.k; ++k) {
        sum += x.value(m, k) * w_rounded.value(n, k);
        terms += std::abs(x.value(m, k) * w_rounded.value(n, k));
      }
      const double expected = activated(mode.activation, sum);
      // Neither activation is steeper than 1.1; quick_gelu errs by 4e-7 more.
      double bound = exact ? 0 : 2.2 * (static_cast<double>(s.k) + 2) * kUnit * terms;
      if (mode.activation == Activation::quick_gelu) bound += 4e-7 * std::max(1.0, std::abs(expected));
      if (mode.bf16) bound += kBf16Unit * std::abs(expected) * 1.01;
      verdict.near(what, m, n, mode.bf16 ? y_bf16.at(m, n) : y.at(m, n), expected, bound);
    }
  }
}

}  // namespace

void linear_bf16(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const Shape& s : kShapes) {
    for (const Mode& mode : kModes) {
      check_linear(
          table, "integers", s, mode, !mode.bf16 && mode.activation != Activation::quick_gelu,
          [&] { return random.integer(-4, 4); }, verdict);
      check_linear(
          table, "numbers", s, mode, false, [&] { return random.uniform(-2, 2); }, verdict);
    }
  }
}

// Steps of an eighth of the power of two below, of 2^-9 at least, to 448.
void round_e4m3(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const int64_t columns : {1, 7, 16, 33, 150}) {
    for (const float factor : {1.0f, 64.0f, 0x1p-7f}) {
      const int64_t rows = 3;
      Matrix values(rows, columns, [&] {
        const auto size = static_cast<double>(random.integer(-11, 11));
        return static_cast<double>(random.uniform(-1.1f, 1.1f)) * std::exp2(size) / static_cast<double>(factor);
      });
      values.at(2, columns - 1) = std::numeric_limits<float>::infinity();
      if (columns > 1) values.at(2, 0) = std::numeric_limits<float>::quiet_NaN();
      if (columns > 2) values.at(1, 0) = 2.125f / factor, values.at(1, 1) = -2.375f / factor;  // ties: to 2, to -2.5
      const Bf16Matrix x(values);
      Bf16Matrix y(rows, bf16_depth(columns));
      table.round_e4m3({.x = x.data(),
                        .x_stride = x.stride(),
                        .y = y.data(),
                        .y_stride = y.stride(),
                        .rows = rows,
                        .columns = columns,
                        .y_columns = bf16_depth(columns),
                        .factor = factor});
      verdict.intact("numbers", y);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < bf16_depth(columns); ++c) {
          const double v = c < columns ? x.value(r, c) * static_cast<double>(factor) : 0;
          double expected = v;
          if (!std::isnan(v)) {
            const double magnitude = std::clamp(std::abs(v), 0x1p-20, 1e3);  // at most 448 in the end
            const double step = std::max(0x1p-9, std::exp2(std::floor(std::log2(magnitude)) - 3));
            expected = std::clamp(std::nearbyint(v / step) * step, -448.0, 448.0);  // ties to even
          }
          verdict.exact("numbers", r, c, y.at(r, c), expected / static_cast<double>(factor));
        }
      }
    }
  }
}

void attention_bf16(const KernelTable& table, Generator& random, Verdict& verdict) {
  struct Head {
    int64_t queries, keys, width;
  };
  for (const Head& s : {Head{1, 1, 1},
                        {7, 7, 8},
                        {16, 17, 24},
                        {25, 33, 15},
                        {33, 52, 64},
                        {3, 100, 80},
                        {40, 197, 32},
                        {34, 1041, 24},
                        {2, 2305, 64}}) {
    const auto number = [&] { return random.uniform(-2, 2); };
    const Bf16Matrix q(Matrix(s.queries, s.width, number)), k(Matrix(s.keys, s.width, number)),
        v(Matrix(s.keys, s.width, number));
    Bf16Matrix out(s.queries, s.width);
    const double scale = 0.25;
    Lines<float> scratch = scratch_of(attention_bf16_scratch(s.keys, s.width));
    table.attention_bf16({.q = q.data(),
                          .k = k.data(),
                          .v = v.data(),
                          .q_stride = q.stride(),
                          .k_stride = k.stride(),
                          .v_stride = v.stride(),
                          .out = out.data(),
                          .out_stride = out.stride(),
                          .queries = s.queries,
                          .keys = s.keys,
                          .width = s.width,
                          .scale = static_cast<float>(scale),
                          .scratch = scratch.data()});
    verdict.intact("numbers", out);
    for (int64_t i = 0; i < s.queries; ++i) {
      std::vector<double> p(static_cast<size_t>(s.keys));
      double largest = -HUGE_VAL, sum = 0, terms = 0;
      for (int64_t j = 0; j < s.keys; ++j) {
        double score = 0, score_terms = 0;
        for (int64_t c = 0; c < s.width; ++c) {
          score += scale * q.value(i, c) * k.value(j, c);
          score_terms += std::abs(scale * q.value(i, c) * k.value(j, c));
        }
        p[static_cast<size_t>(j)] = score;
        largest = std::max(largest, score);
        terms = std::max(terms, score_terms);
      }
      for (double& x : p) sum += x = std::exp(x - largest);
      const double relative = 4 * (static_cast<double>(s.width) + 4) * terms + 2 * static_cast<double>(s.keys) + 32;
      for (int64_t c = 0; c < s.width; ++c) {
        double expected = 0, magnitude = 0;
        for (int64_t j = 0; j < s.keys; ++j) {
          expected += p[static_cast<size_t>(j)] / sum * v.value(j, c);
          magnitude += p[static_cast<size_t>(j)] / sum * std::abs(v.value(j, c));
        }
        verdict.near("numbers", i, c, out.at(i, c), expected, (relative * kUnit + 2.02 * kBf16Unit) * magnitude);
      }
    }
  }
}

}  // namespace tw::check
