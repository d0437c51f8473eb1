#include <cmath>

#include "kernels/reference/activation.h"
#include "kernels/reference/kernels.h"

namespace tw::reference {

void linear_int8(const LinearInt8Args& p) {
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < p.columns; ++n) {
      const int8_t* strip = p.weights + n / kStrip * kStrip * p.k;
      int64_t sum = p.correction[n];
      for (int64_t k = 0; k < p.k; ++k)
        sum += static_cast<int64_t>(p.x[m * p.x_stride + k]) * strip[(k / 4 * kStrip + n % kStrip) * 4 + k % 4];
      const double bias = p.bias != nullptr ? static_cast<double>(p.bias[n]) : 0;
      const double value =
          static_cast<double>(p.x_scale[m]) * static_cast<double>(p.w_scale[n]) * static_cast<double>(sum) + bias;
      float* y = p.y + m * p.y_stride + n;
      *y = static_cast<float>(p.add_to_output ? value + static_cast<double>(*y) : activate(p.activation, value));
    }
  }
}

void quantize(const QuantizeArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const auto value = [&](int64_t c) {
      return p.x[r * p.x_stride + c] * (p.multiplier != nullptr ? p.multiplier[c] : 1.0f);
    };
    float largest = 0;
    bool finite = true;
    for (int64_t c = 0; c < p.columns; ++c) {
      largest = std::fmax(largest, std::fabs(value(c)));
      finite = finite && std::isfinite(value(c));
    }
    p.x_scale[r] = finite ? largest * (1.0f / 127.0f) : NAN;
    const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    for (int64_t c = 0; c < p.y_columns; ++c) {
      const float scaled = c < p.columns && finite ? std::nearbyint(value(c) * inverse) : 0.0f;
      p.y[r * p.y_stride + c] = static_cast<uint8_t>(128 + static_cast<int>(scaled));
    }
  }
}

}  // namespace tw::reference
