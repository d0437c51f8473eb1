// softmax and l2_normalize, row by row, against the oracle.
#include <cfloat>
#include <cmath>
#include <limits>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

using Kernel = void (*KernelTable::*)(const RowsArgs&);

// Runs `kernel` from one matrix into another and in place; both must give the same bits.
std::vector<float> run(const KernelTable& table, Kernel kernel, std::span<const float> values, int64_t rows,
                       int64_t columns, Layout layout = {}) {
  GuardedMatrix x(rows, columns, values, layout), y(rows, columns, layout_number(layout.gap + 1));
  GuardedMatrix both(rows, columns, values, layout);
  x.freeze();
  (table.*kernel)({x.data(), x.stride(), y.data(), y.stride(), rows, columns, Activation::linear});
  (table.*kernel)({both.data(), both.stride(), both.data(), both.stride(), rows, columns, Activation::linear});
  CHECK(y.damage() == "");
  CHECK(both.damage() == "");
  CHECK(first_difference(y.values(), both.values()) == -1);
  return y.values();
}

constexpr int64_t kColumns[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 80, 512, 768, 1001, 3072};

// The contracts of kernel_table.h.
void check_softmax(const char* what, std::span<const float> x, int64_t rows, int64_t columns, Layout layout = {}) {
  const Doubles wide = widen(x), expected = softmax(wide, rows, columns);
  Doubles largest;
  for (int64_t r = 0; r < rows; ++r)
    largest.push_back(*std::max_element(wide.begin() + r * columns, wide.begin() + (r + 1) * columns));
  CAPTURE(what, rows, columns);
  for_each_table([&](const KernelTable& table) {
    const std::vector<float> y = run(table, &KernelTable::softmax, x, rows, columns, layout);
    const BoundReport report = check_error(y, expected, [&](size_t i) {
      const double below = largest[i / static_cast<size_t>(columns)] - wide[i];
      return (below + static_cast<double>(columns) / 8 + 8) * kF32Unit * expected[i];
    });
    record_error("softmax", table, report.worst);
    INFO(report.describe());
    CHECK(report.ok());
    for (int64_t r = 0; r < rows; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < columns; ++c) sum += static_cast<double>(y[static_cast<size_t>(r * columns + c)]);
      CHECK(std::abs(sum - 1) <= (likely_depth(static_cast<double>(columns)) + 8) * kF32Unit);
    }
  });
}

void check_l2(const char* what, std::span<const float> x, int64_t rows, int64_t columns, Layout layout = {}) {
  const Doubles expected = l2_normalize(widen(x), rows, columns);
  CAPTURE(what, rows, columns);
  for_each_table([&](const KernelTable& table) {
    const std::vector<float> y = run(table, &KernelTable::l2_normalize, x, rows, columns, layout);
    const BoundReport report = check_error(y, expected, [&](size_t i) {
      return (static_cast<double>(columns) / 16 + 8) * kF32Unit * std::abs(expected[i]);
    });
    record_error("l2_normalize", table, report.worst);
    INFO(report.describe());
    CHECK(report.ok());
  });
}

// Each row alone, and beside a row with `bad` in it, has the bits it has among the others.
void check_isolation(Kernel kernel, float bad) {
  Random random(5);
  for (const int64_t columns : {17, 80, 513}) {
    const int64_t rows = 7;
    const std::vector<float> x = random.normal_vector(rows * columns, 2.0);
    std::vector<float> spoilt = x;
    spoilt[static_cast<size_t>(4 * columns - 1)] = bad;  // the last of row 3
    for_each_table([&](const KernelTable& table) {
      const std::vector<float> whole = run(table, kernel, x, rows, columns);
      const std::vector<float> beside = run(table, kernel, spoilt, rows, columns);
      for (int64_t r = 0; r < rows; ++r) {
        const auto begin = static_cast<size_t>(r * columns), n = static_cast<size_t>(columns);
        const std::span<const float> row = std::span(whole).subspan(begin, n);
        CHECK(first_difference(run(table, kernel, std::span(x).subspan(begin, n), 1, columns, layout_number(r)), row) ==
              -1);
        if (r != 3) CHECK(first_difference(std::span(beside).subspan(begin, n), row) == -1);
      }
    });
  }
}

void check_nothing_to_do(Kernel kernel) {
  for_each_table([&](const KernelTable& table) {
    GuardedMatrix x(1, 1), y(1, 1);
    x.freeze();
    (table.*kernel)({x.data(), 1, y.data(), 1, 0, 1, Activation::linear});
    (table.*kernel)({x.data(), 1, y.data(), 1, 1, 0, Activation::linear});
    CHECK(y.damage() == "not written: row 0, column 0");
  });
}

}  // namespace

TEST_CASE("softmax: every width, within the bound") {
  Random random(1);
  int64_t number = 0;
  for (const int64_t rows : {1, 3}) {
    for (const int64_t columns : kColumns) {
      const Layout layout = layout_number(number++);
      check_softmax("normal", random.normal_vector(rows * columns), rows, columns, layout);
      check_softmax("logits", random.normal_vector(rows * columns, 100.0), rows, columns, layout);
      check_softmax("heavy tails", random.heavy_tailed_vector(rows * columns), rows, columns, layout);
    }
  }
}

TEST_CASE("softmax: equal, distant and removed entries") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const int64_t columns : {1, 2, 4, 16, 64, 512}) {
    for (const float value : {0.0f, -1e30f, 1e30f, 88.5f}) {
      const std::vector<float> x(static_cast<size_t>(columns), value);
      for_each_table([&](const KernelTable& table) {
        for (const float y : run(table, &KernelTable::softmax, x, 1, columns))
          CHECK(y == 1.0f / static_cast<float>(columns));
      });
    }
  }
  for (const int64_t columns : {2, 9, 16, 17, 33}) {
    for (int64_t place = 0; place < columns; ++place) {
      for (const float other : {-inf, -FLT_MAX, -200.0f}) {
        std::vector<float> x(static_cast<size_t>(columns), other);
        x[static_cast<size_t>(place)] = 3.0f;
        CAPTURE(columns, place, other);
        for_each_table([&](const KernelTable& table) {
          const std::vector<float> y = run(table, &KernelTable::softmax, x, 1, columns);
          for (int64_t c = 0; c < columns; ++c) CHECK(y[static_cast<size_t>(c)] == (c == place ? 1.0f : 0.0f));
        });
      }
    }
  }
}

TEST_CASE("softmax: a NaN, a positive infinity or nothing but negative ones make the row NaN") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const int64_t columns : {1, 7, 16, 33}) {
    for (int64_t place = 0; place < columns; ++place) {
      for (const float bad : {NAN, inf}) {
        std::vector<float> x(static_cast<size_t>(columns), 1.0f);
        x[static_cast<size_t>(place)] = bad;
        for_each_table([&](const KernelTable& table) {
          for (const float y : run(table, &KernelTable::softmax, x, 1, columns)) CHECK(std::isnan(y));
        });
      }
    }
    const std::vector<float> removed(static_cast<size_t>(columns), -inf);
    for_each_table([&](const KernelTable& table) {
      for (const float y : run(table, &KernelTable::softmax, removed, 1, columns)) CHECK(std::isnan(y));
    });
  }
}

TEST_CASE("softmax: a row's bits depend on that row alone") {
  check_isolation(&KernelTable::softmax, NAN);
  check_isolation(&KernelTable::softmax, std::numeric_limits<float>::infinity());
}

TEST_CASE("l2_normalize: every width, within the bound") {
  Random random(2);
  int64_t number = 0;
  for (const int64_t rows : {1, 3}) {
    for (const int64_t columns : kColumns) {
      const Layout layout = layout_number(number++);
      check_l2("normal", random.normal_vector(rows * columns), rows, columns, layout);
      check_l2("heavy tails", random.heavy_tailed_vector(rows * columns), rows, columns, layout);
      check_l2("small", random.normal_vector(rows * columns, 1e-14), rows, columns, layout);
      check_l2("large", random.normal_vector(rows * columns, 1e16), rows, columns, layout);
    }
  }
}

TEST_CASE("l2_normalize: exact where the numbers are") {
  for_each_table([](const KernelTable& table) {
    for (const int64_t columns : {2, 9, 17, 33, 512}) {
      std::vector<float> x(static_cast<size_t>(columns), 0.0f);
      x[0] = -3;
      x.back() = 4;
      const std::vector<float> y = run(table, &KernelTable::l2_normalize, x, 1, columns);
      CHECK(y[0] == -0.6f);
      CHECK(y.back() == 0.8f);
      for (size_t c = 1; c + 1 < y.size(); ++c) CHECK(y[c] == 0.0f);
    }
  });
}

TEST_CASE("l2_normalize: a zero row and a NaN make the row NaN") {
  for (const int64_t columns : {1, 7, 16, 33}) {
    const std::vector<float> zero(static_cast<size_t>(columns), 0.0f);
    std::vector<float> bad(static_cast<size_t>(columns), 1.0f);
    bad.back() = NAN;
    for_each_table([&](const KernelTable& table) {
      for (const float y : run(table, &KernelTable::l2_normalize, zero, 1, columns)) CHECK(std::isnan(y));
      for (const float y : run(table, &KernelTable::l2_normalize, bad, 1, columns)) CHECK(std::isnan(y));
    });
  }
}

TEST_CASE("l2_normalize: a row's bits depend on that row alone") { check_isolation(&KernelTable::l2_normalize, NAN); }

TEST_CASE("softmax, l2_normalize: no rows, no columns") {
  check_nothing_to_do(&KernelTable::softmax);
  check_nothing_to_do(&KernelTable::l2_normalize);
}

}  // namespace tw::test
