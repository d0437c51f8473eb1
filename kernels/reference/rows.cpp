// Row-wise operations.
#include <cmath>

#include "core/dtype.h"
#include "kernels/reference/activation.h"
#include "kernels/reference/kernels.h"

namespace tw::reference {

void layer_norm(const LayerNormArgs& p) {
  const double count = static_cast<double>(p.columns);
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < p.columns; ++c) mean += static_cast<double>(x[c]) / count;
    for (int64_t c = 0; c < p.columns; ++c) {
      const double d = static_cast<double>(x[c]) - mean;
      variance += d * d / count;
    }
    const double sigma = std::sqrt(variance + static_cast<double>(p.epsilon));
    for (int64_t c = 0; c < p.columns; ++c) {
      const auto y = static_cast<float>((static_cast<double>(x[c]) - mean) / sigma * static_cast<double>(p.gamma[c]) +
                                        static_cast<double>(p.beta[c]));
      if (p.y != nullptr) p.y[r * p.y_stride + c] = y;
      if (p.y_bf16 != nullptr) p.y_bf16[r * p.y_bf16_stride + c] = tw::f32_to_bf16(y);
    }
  }
}

void softmax(const RowsArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    float* y = p.y + r * p.y_stride;
    double largest = -HUGE_VAL, sum = 0;
    for (int64_t c = 0; c < p.columns; ++c) largest = std::fmax(largest, static_cast<double>(x[c]));
    for (int64_t c = 0; c < p.columns; ++c) sum += std::exp(static_cast<double>(x[c]) - largest);
    for (int64_t c = 0; c < p.columns; ++c)
      y[c] = static_cast<float>(std::exp(static_cast<double>(x[c]) - largest) / sum);
  }
}

void l2_normalize(const RowsArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    float* y = p.y + r * p.y_stride;
    double sum = 0;
    for (int64_t c = 0; c < p.columns; ++c) sum += static_cast<double>(x[c]) * static_cast<double>(x[c]);
    for (int64_t c = 0; c < p.columns; ++c) y[c] = static_cast<float>(static_cast<double>(x[c]) / std::sqrt(sum));
  }
}

void activation(const RowsArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r)
    for (int64_t c = 0; c < p.columns; ++c)
      p.y[r * p.y_stride + c] =
          static_cast<float>(activate(p.activation, static_cast<double>(p.x[r * p.x_stride + c])));
}

}  // namespace tw::reference
