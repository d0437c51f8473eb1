#include "kernels/reference/activation.h"
#include "kernels/reference/kernels.h"

namespace tw::reference {

void linear(const LinearArgs& p) {
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < p.columns; ++n) {
      const float* strip = p.weights + n / kStrip * kStrip * p.k;
      double sum = p.bias != nullptr ? static_cast<double>(p.bias[n]) : 0;
      for (int64_t k = 0; k < p.k; ++k)
        sum += static_cast<double>(p.x[m * p.x_stride + k]) * static_cast<double>(strip[k * kStrip + n % kStrip]);
      float* y = p.y + m * p.y_stride + n;
      *y = static_cast<float>(p.add_to_output ? sum + static_cast<double>(*y) : activate(p.activation, sum));
    }
  }
}

void similarity(const SimilarityArgs& p) {
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < p.columns; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < p.k; ++k)
        sum += static_cast<double>(p.x[m * p.x_stride + k]) * static_cast<double>(p.z[n * p.z_stride + k]);
      p.y[m * p.y_stride + n] = static_cast<float>(static_cast<double>(p.scale) * sum);
    }
  }
}

}  // namespace tw::reference
