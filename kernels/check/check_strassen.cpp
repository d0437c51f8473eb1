// Products by one level of Strassen's algorithm, and the sums of x that they start from.
#include <algorithm>
#include <array>

#include "kernels/check/evidence.h"

namespace tw::check {
namespace {

struct Shape {
  int64_t rows, columns, depth;  // columns: of each half
};
// Odd and even rows, one alone; columns around strips; a depth of several sums and of several ranges.
constexpr Shape kShapes[] = {{1, 16, 3},   {2, 5, 16},    {5, 80, 33},  {12, 63, 20},
                             {25, 18, 19}, {115, 17, 40}, {9, 16, 500}, {3, 20, 1500}};

int64_t pairs_of(const Shape& s) { return (s.rows + 1) / 2; }

// A sum of at most two terms.
struct Factor {
  double first, second;  // the second with its sign
  double sum() const { return first + second; }
  double size() const { return std::abs(first) + std::abs(second); }
};

// The factors of the seven products at one place of k, from the quarters there.
std::array<Factor, kStrassenProducts> left_factors(double a11, double a12, double a21, double a22) {
  return {{{a11, a22}, {a21, a22}, {a11, 0}, {a22, 0}, {a11, a12}, {a21, -a11}, {a12, -a22}}};
}
std::array<Factor, kStrassenProducts> right_factors(double b11, double b12, double b21, double b22) {
  return {{{b11, b22}, {b11, 0}, {b12, -b22}, {b21, -b11}, {b22, 0}, {b11, b12}, {b21, b22}}};
}
// Which of the left factors are sums, and which products make up each quarter of the result.
constexpr int kSums[kStrassenSums] = {0, 1, 4, 5, 6};
constexpr bool kUsed[2][2][kStrassenProducts] = {
    {{true, false, false, true, true, false, true}, {false, false, true, false, true, false, false}},
    {{false, true, false, true, false, false, false}, {true, true, true, false, false, true, false}}};

// x [rows, 2 depth] in quarters; the lower row that may be missing is zeros.
std::array<Factor, kStrassenProducts> left_of(const Matrix& x, const Shape& s, int64_t pair, int64_t k) {
  const int64_t lower = pairs_of(s) + pair;
  const auto at = [&](int64_t r, int64_t c) { return r < s.rows ? x.value(r, c) : 0; };
  return left_factors(at(pair, k), at(pair, s.depth + k), at(lower, k), at(lower, s.depth + k));
}

StrassenRows rows_of(const Matrix& x, const Shape& s, Matrix& sums) {
  return {.upper = x.data(),
          .lower = x.data() + pairs_of(s) * x.stride(),
          .x_stride = x.stride(),
          .sums = sums.data(),
          .sums_stride = sums.stride(),
          .sums_apart = pairs_of(s) * sums.stride(),
          .pairs = pairs_of(s),
          .lower_rows = s.rows / 2,
          .depth = s.depth};
}

// Weights [2 columns, 2 depth] as their seven right factors, packed.
Lines<float> pack_factors(const Matrix& w, const Shape& s) {
  const int64_t padded = (s.columns + kStrip - 1) / kStrip * kStrip;
  Lines<float> packed(kStrassenProducts * padded * s.depth);
  for (int64_t n = 0; n < s.columns; ++n) {
    for (int64_t k = 0; k < s.depth; ++k) {
      const auto b = right_factors(w.value(n, k), w.value(s.columns + n, k), w.value(n, s.depth + k),
                                   w.value(s.columns + n, s.depth + k));
      for (int64_t i = 0; i < kStrassenProducts; ++i)
        packed.data()[(i * padded + n / kStrip * kStrip) * s.depth + k * kStrip + n % kStrip] =
            static_cast<float>(b[static_cast<size_t>(i)].sum());
    }
  }
  return packed;
}

template <class Draw>
void check_product(const KernelTable& table, const Shape& s, bool add, bool exact, Draw draw, Verdict& verdict) {
  const char* what = exact ? "integers" : "numbers";
  const int64_t pairs = pairs_of(s);
  const Matrix x(s.rows, 2 * s.depth, draw), w(2 * s.columns, 2 * s.depth, draw), bias(1, 2 * s.columns, draw),
      old(s.rows, 2 * s.columns, draw);
  Matrix y = add ? old : Matrix(s.rows, 2 * s.columns), sums(kStrassenSums * pairs, s.depth);
  Lines<float> weights = pack_factors(w, s), scratch(kStrassenScratch);
  reference_table().strassen_sums(rows_of(x, s, sums));
  table.linear_strassen({.rows = rows_of(x, s, sums),
                         .weights = weights.data(),
                         .weights_apart = (s.columns + kStrip - 1) / kStrip * kStrip * s.depth,
                         .bias = bias.data(),
                         .y_upper = y.data(),
                         .y_lower = y.data() + pairs * y.stride(),
                         .y_stride = y.stride(),
                         .right = s.columns,
                         .columns = s.columns,
                         .activation = add ? Activation::linear : Activation::relu,
                         .add_to_output = add,
                         .scratch = scratch.data()});
  verdict.intact(what, y);
  for (int64_t m = 0; m < s.rows; ++m) {
    for (int64_t n = 0; n < 2 * s.columns; ++n) {
      const bool* used = kUsed[m / pairs][n / s.columns];
      const int64_t left = n % s.columns;
      double sum = bias.value(0, n) + (add ? old.value(m, n) : 0);
      double terms = std::abs(bias.value(0, n)) + (add ? std::abs(old.value(m, n)) : 0);
      for (int64_t k = 0; k < 2 * s.depth; ++k) sum += x.value(m, k) * w.value(n, k);
      for (int64_t k = 0; k < s.depth; ++k) {
        const auto a = left_of(x, s, m % pairs, k);
        const auto b = right_factors(w.value(left, k), w.value(s.columns + left, k), w.value(left, s.depth + k),
                                     w.value(s.columns + left, s.depth + k));
        for (size_t i = 0; i < kStrassenProducts; ++i)
          if (used[i]) terms += a[i].size() * b[i].size();
      }
      if (!add) sum = std::max(0.0, sum);
      verdict.near(what, m, n, y.at(m, n), sum, exact ? 0 : (static_cast<double>(s.depth) + 8) * kUnit * terms);
    }
  }
}

}  // namespace

void strassen_sums(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const Shape& s : kShapes) {
    const Matrix x(s.rows, 2 * s.depth, [&] { return random.uniform(-2, 2); });
    Matrix sums(kStrassenSums * pairs_of(s), s.depth);
    table.strassen_sums(rows_of(x, s, sums));
    verdict.intact("sums", sums);
    for (int64_t pair = 0; pair < pairs_of(s); ++pair) {
      for (int64_t k = 0; k < s.depth; ++k) {
        const auto a = left_of(x, s, pair, k);
        for (int64_t i = 0; i < kStrassenSums; ++i) {
          const int64_t row = i * pairs_of(s) + pair;
          verdict.exact("sums", row, k, sums.at(row, k), static_cast<float>(a[static_cast<size_t>(kSums[i])].sum()));
        }
      }
    }
  }
}

void linear_strassen(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const Shape& s : kShapes) {
    for (const bool add : {false, true}) {
      check_product(
          table, s, add, true, [&] { return random.integer(-4, 4); }, verdict);
      check_product(
          table, s, add, false, [&] { return random.uniform(-2, 2); }, verdict);
    }
  }
}

}  // namespace tw::check
