// linear: y = f(x W^T + bias), y += x W^T + bias, against the oracle.
#include <cmath>
#include <limits>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

struct Shape {
  int64_t m, n, k;
};

// Inputs of one product, in guarded memory; shared by all tables.
struct Problem {
  Shape shape;
  std::vector<float> x, w, bias, y;
  GuardedMatrix x_memory;
  Guarded<float> weights, bias_memory;

  Problem(Shape s, Layout layout, std::vector<float> x_values, std::vector<float> w_values, std::vector<float> b_values,
          std::vector<float> y_values)
      : shape(s),
        x(std::move(x_values)),
        w(std::move(w_values)),
        bias(std::move(b_values)),
        y(std::move(y_values)),
        x_memory(s.m, s.k, x, layout),
        weights(guarded_weights(w, s.n, s.k)),
        bias_memory(guarded_input(bias, layout)) {
    x_memory.freeze();
  }

  LinearArgs args(GuardedMatrix& out) {
    return {.x = x_memory.data(),
            .x_stride = x_memory.stride(),
            .weights = weights.data(),
            .bias = bias_memory.data(),
            .y = out.data(),
            .y_stride = out.stride(),
            .rows = shape.m,
            .columns = shape.n,
            .k = shape.k,
            .activation = Activation::linear,
            .add_to_output = false};
  }
};

Problem integers(Shape s, Layout layout, Random& random) {
  return {s,
          layout,
          random.integer_vector(s.m * s.k),
          random.integer_vector(s.n * s.k),
          random.integer_vector(s.n, -1000, 1000),
          random.integer_vector(s.m * s.n, -1000, 1000)};
}

Problem floats(Shape s, Layout layout, Random& random) {
  return {s,
          layout,
          random.heavy_tailed_vector(s.m * s.k),
          random.uniform_vector(s.n * s.k),
          random.normal_vector(s.n),
          random.heavy_tailed_vector(s.m * s.n)};
}

struct Mode {
  bool with_bias, add;
};
constexpr Mode kModes[] = {{false, false}, {true, false}, {true, true}, {false, true}};

// Runs one table on one problem; complains about memory that is not written or should not have been.
std::vector<float> run(const KernelTable& table, Problem& p, Mode mode, Layout layout,
                       Activation activation = Activation::linear) {
  GuardedMatrix out =
      mode.add ? GuardedMatrix(p.shape.m, p.shape.n, p.y, layout) : GuardedMatrix(p.shape.m, p.shape.n, layout);
  LinearArgs args = p.args(out);
  if (!mode.with_bias) args.bias = nullptr;
  args.add_to_output = mode.add;
  args.activation = activation;
  table.linear(args);
  CHECK(out.damage() == "");
  return out.values();
}

// The exact result with sum |terms|, bias and old output among them.
Sum expected(const Problem& p, Mode mode) {
  const auto [m, n, k] = p.shape;
  Sum sum = linear(widen(p.x), widen(p.w), mode.with_bias ? widen(p.bias) : Doubles{}, m, n, k);
  if (mode.add) {
    for (size_t i = 0; i < p.y.size(); ++i) {
      sum.value[i] += static_cast<double>(p.y[i]);
      sum.magnitude[i] += std::abs(static_cast<double>(p.y[i]));
    }
  }
  return sum;
}

std::vector<float> narrow(std::span<const double> values) { return {values.begin(), values.end()}; }

void check_exact(Shape s, int64_t number, Random& random) {
  Problem p = integers(s, layout_number(number / 4), random);
  const Mode mode = kModes[number % 4];
  CAPTURE(s.m, s.n, s.k, mode.with_bias, mode.add);
  const std::vector<float> exact = narrow(expected(p, mode).value);
  for_each_table([&](const KernelTable& table) {
    CHECK(first_difference(run(table, p, mode, layout_number(number)), exact) == -1);
  });
}

double depth(const Shape& s) { return likely_depth(static_cast<double>(s.k + 2)) * 1.001; }

void check_bound(Shape s, int64_t number, Random& random) {
  Problem p = floats(s, layout_number(number / 4), random);
  const Mode mode = kModes[number % 4];
  CAPTURE(s.m, s.n, s.k, mode.with_bias, mode.add);
  const Sum sum = expected(p, mode);
  for_each_table([&](const KernelTable& table) {
    const BoundReport report = check_error(run(table, p, mode, layout_number(number)), sum.value,
                                           [&](size_t i) { return depth(s) * kF32Unit * sum.magnitude[i]; });
    record_error("linear", table, report.worst);
    INFO(report.describe());
    CHECK(report.ok());
  });
}

constexpr int64_t kRows[] = {1, 2, 3, 5, 6, 7, 8, 13, 50, 52, 197, 257};
constexpr int64_t kColumns[] = {1, 7, 8, 15, 16, 17, 63, 64, 65, 80};
constexpr int64_t kDepths[] = {1, 2, 7, 8, 15, 16, 17, 33, 64, 80};
// Shapes of real models: patch embedding of ViT-L/14, both halves of an MLP, a projection; and a k that is taken in
// ranges.
constexpr Shape kLarge[] = {{257, 1024, 588}, {13, 768, 3072}, {50, 3072, 80},
                            {197, 80, 768},   {1, 512, 768},   {330, 70, 1601}};

}  // namespace

TEST_CASE("linear: integer products are exact for every shape") {
  Random random(1);
  int64_t number = 0;
  for (const int64_t m : kRows)
    for (const int64_t n : kColumns)
      for (const int64_t k : kDepths) check_exact({m, n, k}, number++, random);
  for (const Shape& shape : kLarge) check_exact(shape, number++, random);
}

TEST_CASE("linear: real products stay within the bound of every element's own terms") {
  Random random(2);
  int64_t number = 0;
  for (const int64_t m : {1, 5, 6, 13})
    for (const int64_t n : kColumns)
      for (const int64_t k : kDepths) check_bound({m, n, k}, number++, random);
  for (const Shape& shape : kLarge) check_bound(shape, number++, random);
}

TEST_CASE("linear: sums of 192 of k, ascending, fused, added up in their order") {
  Random random(3);
  for (const Shape s :
       {Shape{7, 65, 33}, Shape{13, 17, 588}, Shape{2, 80, 768}, Shape{61, 150, 1601}, Shape{50, 40, 3073}}) {
    Problem p = floats(s, layout_number(2), random);
    for (const Mode mode : kModes) {
      std::vector<float> bits;
      for (int64_t m = 0; m < s.m; ++m) {
        for (int64_t n = 0; n < s.n; ++n) {
          float sum = 0;
          for (int64_t first = 0, last; first < s.k; first = last) {
            last = s.k - first < 288 ? s.k : first + 192;
            float part = 0;
            for (int64_t k = first; k < last; ++k)
              part = std::fma(p.x[static_cast<size_t>(m * s.k + k)], p.w[static_cast<size_t>(n * s.k + k)], part);
            sum += part;
          }
          if (mode.with_bias) sum += p.bias[static_cast<size_t>(n)];
          if (mode.add) sum += p.y[static_cast<size_t>(m * s.n + n)];
          bits.push_back(sum);
        }
      }
      CAPTURE(s.m, s.n, s.k, mode.with_bias, mode.add);
      for_each_table([&](const KernelTable& table) {
        if (&table == &reference_table()) return;  // sums in double
        CHECK(first_difference(run(table, p, mode, {}), bits) == -1);
      });
    }
  }
}

TEST_CASE("linear: rows and panels of columns computed apart have the same bits") {
  Random random(4);
  const Shape s{23, 150, 95};
  Problem p = floats(s, layout_number(3), random);
  for_each_table([&](const KernelTable& table) {
    const std::vector<float> whole = run(table, p, {true, true}, {});
    for (const int64_t rows : {1, 2, 5, 6, 11}) {
      for (const int64_t columns : {int64_t{16}, int64_t{32}, int64_t{48}, kPanel, int64_t{96}}) {
        GuardedMatrix out(s.m, s.n, p.y, layout_number(rows));
        for (int64_t m = 0; m < s.m; m += rows) {
          for (int64_t n = 0; n < s.n; n += columns) {
            LinearArgs args = p.args(out);
            args.x += m * args.x_stride;
            args.weights += n * s.k;
            args.bias += n;
            args.y += m * args.y_stride + n;
            args.rows = std::min(rows, s.m - m);
            args.columns = std::min(columns, s.n - n);
            args.add_to_output = true;
            table.linear(args);
          }
        }
        CAPTURE(rows, columns);
        CHECK(out.damage() == "");
        CHECK(first_difference(out.values(), whole) == -1);
      }
    }
  });
}

TEST_CASE("linear: NaN and infinity stay in their row and column") {
  Random random(5);
  const Shape s{13, 70, 33};
  const float bad_values[] = {NAN, std::numeric_limits<float>::infinity()};
  Problem clean = floats(s, {}, random);
  for (const float bad : bad_values) {
    std::vector<float> x = clean.x, w = clean.w;
    x[static_cast<size_t>(4 * s.k + 17)] = bad;
    w[static_cast<size_t>(66 * s.k + 9)] = bad;
    Problem bad_row(s, {}, x, clean.w, clean.bias, clean.y), bad_column(s, {}, clean.x, w, clean.bias, clean.y);
    for_each_table([&](const KernelTable& table) {
      const std::vector<float> good = run(table, clean, {true, false}, {});
      const std::vector<float> rows = run(table, bad_row, {true, false}, {});
      const std::vector<float> columns = run(table, bad_column, {true, false}, {});
      int64_t wrong = 0;
      for (int64_t m = 0; m < s.m; ++m) {
        for (int64_t n = 0; n < s.n; ++n) {
          const auto i = static_cast<size_t>(m * s.n + n);
          wrong += (m == 4) == std::isfinite(rows[i]) || (m != 4 && rows[i] != good[i]);
          wrong += (n == 66) == std::isfinite(columns[i]) || (n != 66 && columns[i] != good[i]);
        }
      }
      CHECK(wrong == 0);
    });
  }
}

TEST_CASE("linear: nothing to do is done without touching anything") {
  Random random(6);
  for_each_table([&](const KernelTable& table) {
    for (const Shape s : {Shape{0, 17, 9}, Shape{5, 0, 9}, Shape{0, 0, 0}}) {
      Problem p = floats(s, {}, random);
      GuardedMatrix out(std::max<int64_t>(1, s.m), 1);
      LinearArgs args = p.args(out);
      table.linear(args);
      args.activation = Activation::gelu;
      table.linear(args);
      CHECK(std::isnan(out.values()[0]));
    }
    // An empty sum: the bias alone.
    Problem p = floats({3, 18, 0}, {}, random);
    const std::vector<float> out = run(table, p, {true, false}, {});
    CHECK(first_difference(std::span(out).subspan(18, 18), p.bias) == -1);
  });
}

TEST_CASE("linear: every activation in the epilogue") {
  Random random(7);
  const Shape s{13, 71, 33};
  Problem p = floats(s, layout_number(2), random);
  const Sum sum = expected(p, {true, false});
  for (const std::string_view name : kActivationNames) {
    CAPTURE(name);
    // How far f moves over the permitted error of its argument, and what it may err itself.
    const auto f = [&](size_t i, double step) { return activation(name, sum.value[i] + step); };
    Doubles values, bounds;
    for (size_t i = 0; i < sum.value.size(); ++i) {
      const double step = depth(s) * kF32Unit * sum.magnitude[i];
      values.push_back(f(i, 0));
      bounds.push_back(1.01 * std::max(std::abs(f(i, step) - f(i, 0)), std::abs(f(i, -step) - f(i, 0))) +
                       4e-7 * std::max(1.0, std::abs(f(i, 0))));
    }
    for_each_table([&](const KernelTable& table) {
      const std::vector<float> got = run(table, p, {true, false}, layout_number(3), *activation_from_name(name));
      const BoundReport report = check_error(got, values, [&](size_t i) { return bounds[i]; });
      record_error("linear + activation", table, report.worst);
      INFO(report.describe());
      CHECK(report.ok());
    });
  }
}

}  // namespace tw::test
