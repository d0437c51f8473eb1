// similarity: y[m, n] = scale x[m] . z[n].
#include <cmath>
#include <limits>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

struct Problem {
  int64_t rows, columns, k;
  float scale;
  std::vector<float> x, z;
};

std::vector<float> run(const KernelTable& table, const Problem& p, Layout layout = {}) {
  GuardedMatrix x(p.rows, p.k, p.x, layout), z(p.columns, p.k, p.z, layout_number(layout.gap + 1));
  GuardedMatrix y(p.rows, p.columns, layout_number(layout.gap + 2));
  x.freeze(), z.freeze();
  table.similarity({.x = x.data(),
                    .x_stride = x.stride(),
                    .z = z.data(),
                    .z_stride = z.stride(),
                    .y = y.data(),
                    .y_stride = y.stride(),
                    .rows = p.rows,
                    .columns = p.columns,
                    .k = p.k,
                    .scale = p.scale});
  CHECK(y.damage() == "");
  return y.values();
}

Sum expected(const Problem& p) {
  Sum sum = linear(widen(p.x), widen(p.z), {}, p.rows, p.columns, p.k);
  for (double& v : sum.value) v *= static_cast<double>(p.scale);
  for (double& v : sum.magnitude) v *= std::abs(static_cast<double>(p.scale));
  return sum;
}

constexpr int64_t kDepths[] = {1, 2, 7, 8, 9, 15, 16, 17, 33, 80, 512, 1023};

}  // namespace

TEST_CASE("similarity: integers are exact") {
  Random random(1);
  int64_t number = 0;
  for (const int64_t rows : {1, 2, 7})
    for (const int64_t columns : {1, 3, 16, 50})
      for (const int64_t k : kDepths) {
        const Problem p{rows, columns, k, 0.5f, random.integer_vector(rows * k), random.integer_vector(columns * k)};
        const Doubles value = expected(p).value;
        const std::vector<float> exact(value.begin(), value.end());
        CAPTURE(rows, columns, k);
        for_each_table([&](const KernelTable& table) {
          CHECK(first_difference(run(table, p, layout_number(number)), exact) == -1);
        });
        ++number;
      }
}

TEST_CASE("similarity: within the bound of every element's own terms") {
  Random random(2);
  for (const int64_t k : kDepths) {
    for (const float scale : {1.0f, 100.0f, -14.285714f}) {
      const Problem p{5, 9, k, scale, random.normal_vector(5 * k), random.heavy_tailed_vector(9 * k)};
      const Sum exact = expected(p);
      CAPTURE(k, scale);
      for_each_table([&](const KernelTable& table) {
        const double depth = likely_depth(2.0 * static_cast<double>(k));
        const BoundReport report =
            check_error(run(table, p), exact.value, [&](size_t i) { return depth * kF32Unit * exact.magnitude[i]; });
        record_error("similarity", table, report.worst);
        INFO(report.describe());
        CHECK(report.ok());
      });
    }
  }
}

TEST_CASE("similarity: a pair's bits depend on that pair alone") {
  Random random(3);
  const Problem whole{5, 11, 77, 3.0f, random.normal_vector(5 * 77), random.normal_vector(11 * 77)};
  Problem spoilt = whole;
  spoilt.x[2 * 77 + 76] = NAN;
  spoilt.z[4 * 77] = std::numeric_limits<float>::infinity();
  for_each_table([&](const KernelTable& table) {
    const std::vector<float> y = run(table, whole), beside = run(table, spoilt);
    int64_t wrong = 0;
    for (int64_t m = 0; m < 5; ++m) {
      for (int64_t n = 0; n < 11; ++n) {
        Problem one{1, 1, 77, 3.0f, {}, {}};
        one.x.assign(whole.x.begin() + m * 77, whole.x.begin() + (m + 1) * 77);
        one.z.assign(whole.z.begin() + n * 77, whole.z.begin() + (n + 1) * 77);
        const auto at = static_cast<size_t>(m * 11 + n);
        wrong += run(table, one, layout_number(m + n))[0] != y[at];
        wrong += m == 2 || n == 4 ? std::isfinite(beside[at]) : beside[at] != y[at];
      }
    }
    CHECK(wrong == 0);
  });
}

TEST_CASE("similarity: nothing to do, and empty sums") {
  for_each_table([](const KernelTable& table) {
    CHECK(run(table, {0, 3, 4, 1.0f, {}, std::vector<float>(12, 1.0f)}).empty());
    CHECK(run(table, {3, 0, 4, 1.0f, std::vector<float>(12, 1.0f), {}}).empty());
    CHECK(run(table, {2, 1, 0, 1.0f, {}, {}}) == std::vector<float>{0, 0});
  });
}

}  // namespace tw::test
