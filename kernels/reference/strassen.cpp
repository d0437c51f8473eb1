#include "kernels/reference/activation.h"
#include "kernels/reference/kernels.h"

namespace tw::reference {

void strassen_sums(const StrassenRows& p) {
  for (int64_t r = 0; r < p.pairs; ++r) {
    for (int64_t k = 0; k < p.depth; ++k) {
      const float* lower = p.lower + r * p.x_stride + k;
      const float a11 = p.upper[r * p.x_stride + k], a12 = p.upper[r * p.x_stride + p.depth + k];
      const float a21 = r < p.lower_rows ? lower[0] : 0, a22 = r < p.lower_rows ? lower[p.depth] : 0;
      const float sums[kStrassenSums] = {a11 + a22, a21 + a22, a11 + a12, a21 - a11, a12 - a22};
      for (int64_t i = 0; i < kStrassenSums; ++i) p.sums[i * p.sums_apart + r * p.sums_stride + k] = sums[i];
    }
  }
}

void linear_strassen(const LinearStrassenArgs& p) {
  // M number `i` at pair r and column n; its left factor's row is x.
  const auto product = [&](int64_t i, const float* x, int64_t n) {
    const float* strip = p.weights + i * p.weights_apart + n / kStrip * kStrip * p.rows.depth + n % kStrip;
    double sum = 0;
    for (int64_t k = 0; k < p.rows.depth; ++k)
      sum += static_cast<double>(x[k]) * static_cast<double>(strip[k * kStrip]);
    return sum;
  };
  for (int64_t r = 0; r < p.rows.pairs; ++r) {
    const bool both = r < p.rows.lower_rows;
    for (int64_t n = 0; n < p.columns; ++n) {
      const auto of_sum = [&](int64_t i, int64_t sum) {
        return product(i, p.rows.sums + sum * p.rows.sums_apart + r * p.rows.sums_stride, n);
      };
      const double m0 = of_sum(0, 0), m1 = of_sum(1, 1), m2 = product(2, p.rows.upper + r * p.rows.x_stride, n),
                   m3 = both ? product(3, p.rows.lower + r * p.rows.x_stride + p.rows.depth, n) : 0, m4 = of_sum(4, 2),
                   m5 = of_sum(5, 3), m6 = of_sum(6, 4);
      const auto finish = [&](double sum, float* y, int64_t column) {
        if (p.bias != nullptr) sum += static_cast<double>(p.bias[column]);
        y += r * p.y_stride + column;
        *y = static_cast<float>(p.add_to_output ? sum + static_cast<double>(*y) : activate(p.activation, sum));
      };
      finish(m0 + m3 - m4 + m6, p.y_upper, n);
      finish(m2 + m4, p.y_upper, p.right + n);
      if (!both) continue;
      finish(m1 + m3, p.y_lower, n);
      finish(m0 - m1 + m2 + m5, p.y_lower, p.right + n);
    }
  }
}

}  // namespace tw::reference
