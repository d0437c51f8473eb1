#include "core/dtype.h"
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

void linear_bf16(const LinearBf16Args& p) {
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < p.columns; ++n) {
      const uint16_t* strip = p.weights + n / kStrip * kStrip * p.k;
      double sum = p.bias != nullptr ? static_cast<double>(p.bias[n]) : 0;
      for (int64_t k = 0; k < p.k; ++k)
        sum += static_cast<double>(tw::bf16_to_f32(p.x[m * p.x_stride + k])) *
               static_cast<double>(tw::bf16_to_f32(strip[(k / 2 * kStrip + n % kStrip) * 2 + k % 2]));
      const int64_t at = m * p.y_stride + n;
      if (p.y_is_bf16) {
        static_cast<uint16_t*>(p.y)[at] = tw::f32_to_bf16(static_cast<float>(activate(p.activation, sum)));
      } else {
        float* y = static_cast<float*>(p.y) + at;
        *y = static_cast<float>(p.add_to_output ? sum + static_cast<double>(*y) : activate(p.activation, sum));
      }
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
