#include <cmath>

#include "kernels/reference/kernels.h"

namespace tw::reference {

void absorb_keys(const AbsorbKeysArgs& p) {
  const int64_t columns = (p.heads + kStrip - 1) / kStrip * kStrip;
  for (int64_t c = p.first; c < p.first + p.count; ++c) {
    for (int64_t h = 0; h < columns; ++h) {
      double sum = 0;
      for (int64_t i = h * p.width; h < p.heads && i < (h + 1) * p.width; ++i)
        sum +=
            static_cast<double>(p.q[i]) * static_cast<double>(p.weights[(i / kStrip * p.k + c) * kStrip + i % kStrip]);
      p.u[(h / kStrip * p.k + c) * kStrip + h % kStrip] = static_cast<float>(sum);
    }
  }
}

void softmax_columns(const SoftmaxColumnsArgs& p) {
  const auto scaled = [&](int64_t r, int64_t c) {
    return static_cast<double>(p.scale) * static_cast<double>(p.x[r * p.x_stride + c]);
  };
  for (int64_t c = 0; c < p.columns; ++c) {
    double largest = -HUGE_VAL, sum = 0;
    for (int64_t r = 0; r < p.rows; ++r) largest = std::fmax(largest, scaled(r, c));
    for (int64_t r = 0; r < p.rows; ++r) sum += std::exp(scaled(r, c) - largest);
    for (int64_t r = 0; r < p.rows; ++r)
      p.x[r * p.x_stride + c] = static_cast<float>(std::exp(scaled(r, c) - largest) / sum);
  }
}

void weigh_rows(const WeighRowsArgs& p) {
  for (int64_t h = 0; h < p.heads; ++h) {
    for (int64_t c = 0; c < p.columns; ++c) {
      double sum = 0;
      for (int64_t r = 0; r < p.rows; ++r)
        sum += static_cast<double>(p.p[r * p.p_stride + h]) * static_cast<double>(p.x[r * p.x_stride + c]);
      p.y[h * p.y_stride + c] = static_cast<float>(sum);
    }
  }
}

}  // namespace tw::reference
