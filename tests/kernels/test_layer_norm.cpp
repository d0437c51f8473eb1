// layer_norm against the oracle: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.
#include <cmath>
#include <limits>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

struct Problem {
  int64_t rows, columns;
  float epsilon;
  std::vector<float> x, gamma, beta;
};

Problem problem(int64_t rows, int64_t columns, float epsilon, std::vector<float> x, Random& random) {
  return {rows, columns, epsilon, std::move(x), random.heavy_tailed_vector(columns), random.normal_vector(columns)};
}

std::vector<float> run(const KernelTable& table, const Problem& p, Layout layout) {
  GuardedMatrix x(p.rows, p.columns, p.x, layout), y(p.rows, p.columns, layout_number(layout.gap + 1));
  GuardedMatrix both(p.rows, p.columns, p.x, layout);
  x.freeze();
  const Guarded<float> gamma = guarded_input(p.gamma, layout), beta = guarded_input(p.beta, layout);
  const LayerNormArgs args{.x = x.data(),
                           .x_stride = x.stride(),
                           .gamma = gamma.data(),
                           .beta = beta.data(),
                           .y = y.data(),
                           .y_stride = y.stride(),
                           .rows = p.rows,
                           .columns = p.columns,
                           .epsilon = p.epsilon};
  table.layer_norm(args);
  CHECK(y.damage() == "");

  LayerNormArgs in_place = args;
  in_place.x = in_place.y = both.data();
  in_place.x_stride = in_place.y_stride = both.stride();
  table.layer_norm(in_place);
  CHECK(both.damage() == "");
  CHECK(first_difference(y.values(), both.values()) == -1);
  return y.values();
}

struct Moments {
  double mean, sigma;
};
Moments moments(const Problem& p, int64_t row) {
  double mean = 0, variance = 0;
  const auto at = [&](int64_t c) { return static_cast<double>(p.x[static_cast<size_t>(row * p.columns + c)]); };
  for (int64_t c = 0; c < p.columns; ++c) mean += at(c) / static_cast<double>(p.columns);
  for (int64_t c = 0; c < p.columns; ++c) variance += (at(c) - mean) * (at(c) - mean) / static_cast<double>(p.columns);
  return {mean, std::sqrt(variance + static_cast<double>(p.epsilon))};
}

// The contract of kernel_table.h.
Doubles bounds(const Problem& p) {
  Doubles bound;
  for (int64_t r = 0; r < p.rows; ++r) {
    const auto [mean, sigma] = moments(p, r);
    for (int64_t c = 0; c < p.columns; ++c) {
      const auto column = static_cast<size_t>(c);
      const double z = (static_cast<double>(p.x[static_cast<size_t>(r * p.columns + c)]) - mean) / sigma;
      const double gamma = std::abs(static_cast<double>(p.gamma[column]));
      bound.push_back(16 * kF32Unit *
                      (gamma * (1 + std::abs(z)) * (1 + 16 * kF32Unit * std::abs(mean) / sigma) +
                       std::abs(static_cast<double>(p.beta[column]))));
    }
  }
  return bound;
}

void check(const char* what, const Problem& p, Layout layout = {}) {
  const Doubles expected =
      layer_norm(widen(p.x), widen(p.gamma), widen(p.beta), p.rows, p.columns, static_cast<double>(p.epsilon));
  const Doubles bound = bounds(p);
  CAPTURE(what, p.rows, p.columns, p.epsilon);
  for_each_table([&](const KernelTable& table) {
    // The contract counts on vectors: on one lane thousands of terms make one long sum.
    if (&table == &twin_table() && p.columns > 1024) return;
    const BoundReport report = check_error(run(table, p, layout), expected, [&](size_t i) { return bound[i]; });
    record_error(std::string("layer_norm, ") + what, table, report.worst);
    INFO(report.describe());
    CHECK(report.ok());
  });
}

std::vector<float> rows_around(int64_t count, double mean, double spread, Random& random) {
  std::vector<float> x(static_cast<size_t>(count));
  for (float& v : x) v = static_cast<float>(mean + spread * random.normal());
  return x;
}

constexpr int64_t kColumns[] = {1, 2, 7, 8, 15, 16, 17, 33, 64, 80, 588, 768, 1023, 1024, 3072};

}  // namespace

TEST_CASE("layer_norm: every width, within the bound") {
  Random random(1);
  int64_t number = 0;
  for (const int64_t rows : {1, 2, 5}) {
    for (const int64_t columns : kColumns) {
      const float epsilon = number % 2 == 0 ? 1e-5f : 1e-12f;
      const Layout layout = layout_number(number++);
      check("normal", problem(rows, columns, epsilon, random.normal_vector(rows * columns), random), layout);
      check("heavy tails", problem(rows, columns, epsilon, random.heavy_tailed_vector(rows * columns), random), layout);
    }
  }
}

TEST_CASE("layer_norm: rows whose mean dwarfs their spread") {
  // E[x^2] - E[x]^2 in f32 is worthless here, and so is a mean that is only good to an ulp of itself.
  Random random(2);
  for (const int64_t columns : {16, 17, 80, 768, 1024, 3072}) {
    for (const auto& [mean, spread] : {std::pair{1e3, 1.0}, {1e4, 1e-3}, {-1e4, 1e-2}, {1e6, 1.0}, {-300.0, 1e-4}}) {
      for (const float epsilon : {1e-5f, 1e-12f})
        check("large mean", problem(3, columns, epsilon, rows_around(3 * columns, mean, spread, random), random));
    }
  }
}

TEST_CASE("layer_norm: constant rows are all beta") {
  Random random(3);
  for (const int64_t columns : {1, 7, 16, 33, 768, 1023, 3072}) {
    for (const float value : {0.0f, 0.1f, -12345.678f, 3e-5f, 1e10f}) {
      for (const float epsilon : {1e-5f, 1e-12f}) {
        const std::vector<float> x(static_cast<size_t>(2 * columns), value);
        check("constant", problem(2, columns, epsilon, x, random));
      }
    }
  }
}

TEST_CASE("layer_norm: tiny and huge rows") {
  Random random(4);
  for (const double scale : {1e-20, 1e-8, 1e-3, 1e6, 1e12}) {
    const std::vector<float> x = random.normal_vector(3 * 80, scale);
    check("scaled", problem(3, 80, 1e-12f, x, random));
  }
}

TEST_CASE("layer_norm: a row's bits depend on that row alone") {
  Random random(5);
  for (const int64_t columns : {17, 80, 768}) {
    const Problem whole = problem(13, columns, 1e-5f, random.normal_vector(13 * columns), random);
    for_each_table([&](const KernelTable& table) {
      const std::vector<float> expected = run(table, whole, {});
      for (int64_t r = 0; r < 13; ++r) {
        Problem one = whole;
        one.rows = 1;
        one.x.assign(whole.x.begin() + r * columns, whole.x.begin() + (r + 1) * columns);
        const std::span<const float> row = std::span(expected).subspan(static_cast<size_t>(r * columns), one.x.size());
        CHECK(first_difference(run(table, one, layout_number(r)), row) == -1);
      }
      for (const float bad : {NAN, std::numeric_limits<float>::infinity()}) {
        Problem spoilt = whole;
        spoilt.x[static_cast<size_t>(5 * columns + columns - 1)] = bad;
        const std::vector<float> y = run(table, spoilt, {});
        int64_t wrong = 0;
        for (int64_t i = 0; i < 13 * columns; ++i) {
          const auto at = static_cast<size_t>(i);
          wrong += i / columns == 5 ? !std::isnan(y[at]) : y[at] != expected[at];
        }
        CHECK(wrong == 0);
      }
    });
  }
}

TEST_CASE("layer_norm: no rows, no columns") {
  for_each_table([](const KernelTable& table) {
    GuardedMatrix x(1, 1), y(1, 1);
    x.freeze();
    LayerNormArgs args{.x = x.data(),
                       .x_stride = 1,
                       .gamma = x.data(),
                       .beta = x.data(),
                       .y = y.data(),
                       .y_stride = 1,
                       .rows = 0,
                       .columns = 1,
                       .epsilon = 1e-5f};
    table.layer_norm(args);
    args.rows = 1;
    args.columns = 0;
    table.layer_norm(args);
    CHECK(y.damage() == "not written: row 0, column 0");
  });
}

}  // namespace tw::test
