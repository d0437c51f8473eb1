#include <algorithm>
#include <cmath>

#include "core/dtype.h"
#include "kernels/reference/activation.h"
#include "kernels/reference/kernels.h"

namespace tw::reference {

void linear_int8(const LinearInt8Args& p) {
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < p.columns; ++n) {
      const int8_t* strip = p.weights + n / kStrip * kStrip * p.k;
      int64_t sum = -static_cast<int64_t>(p.x_zero[m]) * p.w_sum[n];
      for (int64_t k = 0; k < p.k; ++k)
        sum += static_cast<int64_t>(p.x[m * p.x_stride + k]) * strip[(k / 4 * kStrip + n % kStrip) * 4 + k % 4];
      const double bias = p.bias != nullptr ? static_cast<double>(p.bias[n]) : 0;
      const double value =
          static_cast<double>(p.x_scale[m]) * static_cast<double>(p.w_scale[n]) * static_cast<double>(sum) + bias;
      const int64_t at = m * p.y_stride + n;
      if (p.y_is_bf16) {
        static_cast<uint16_t*>(p.y)[at] = tw::f32_to_bf16(static_cast<float>(activate(p.activation, value)));
      } else {
        float* y = static_cast<float*>(p.y) + at;
        *y = static_cast<float>(p.add_to_output ? value + static_cast<double>(*y) : activate(p.activation, value));
      }
    }
  }
}

void round_e4m3(const RoundE4m3Args& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t c = 0; c < p.y_columns; ++c) {
      const float x = c < p.columns ? tw::bf16_to_f32(p.x[r * p.x_stride + c]) : 0.0f;
      p.y[r * p.y_stride + c] = tw::f32_to_bf16(tw::e4m3_to_f32(tw::f32_to_e4m3(p.factor * x)) / p.factor);
    }
  }
}

void quantize(const QuantizeArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const auto value = [&](int64_t c) {
      const int64_t at = r * p.x_stride + c;
      const float x =
          p.x_is_bf16 ? tw::bf16_to_f32(static_cast<const uint16_t*>(p.x)[at]) : static_cast<const float*>(p.x)[at];
      return x * (p.multiplier != nullptr ? p.multiplier[c] : 1.0f);
    };
    float low = 0, high = 0;
    bool finite = true;
    for (int64_t c = 0; c < p.columns; ++c) {
      low = std::fmin(low, value(c)), high = std::fmax(high, value(c));
      finite = finite && std::isfinite(value(c));
    }
    const float range = high - low, inverse = finite && range > 0 ? 255.0f / range : 0.0f;
    const int zero = finite ? static_cast<int>(-low * inverse + 0.5f) : 0;
    p.x_scale[r] = finite ? range * (1.0f / 255.0f) : NAN;
    p.x_zero[r] = zero;
    for (int64_t c = 0; c < p.y_columns; ++c) {
      const int level = c < p.columns && finite ? static_cast<int>(std::nearbyint(value(c) * inverse)) + zero : 0;
      p.y[r * p.y_stride + c] = static_cast<uint8_t>(std::clamp(level, 0, 255));
    }
  }
}

}  // namespace tw::reference
