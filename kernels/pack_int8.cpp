#include "kernels/pack_int8.h"

#include <algorithm>
#include <cmath>

#include "core/checked_math.h"

namespace tw {

PackedInt8::PackedInt8(const PackedMatrix& weights, const float* smoothing) {
  const int64_t k = weights.k(), columns = round_up(weights.n(), kStrip);
  k_padded_ = int8_depth(k);
  strips_ = Buffer(columns * k_padded_, "weights");
  scale_ = Buffer(columns * int64_t{sizeof(float)}, "weights");
  sum_ = Buffer(columns * int64_t{sizeof(int32_t)}, "weights");
  if (smoothing != nullptr) {
    multiplier_ = Buffer(k * int64_t{sizeof(float)}, "weights");
    for (int64_t i = 0; i < k; ++i) multiplier_.as<float>()[i] = 1.0f / smoothing[i];
  }
  for (int64_t n0 = 0; n0 < columns; n0 += kStrip) {
    const float* from = weights.f32_strip_at(n0);  // [k][16]
    int8_t* to = strips_.as<int8_t>() + n0 * k_padded_;
    const auto smooth = [&](int64_t i, int64_t lane) {
      return from[i * kStrip + lane] * (smoothing != nullptr ? smoothing[i] : 1.0f);
    };
    float largest[kStrip] = {}, inverse[kStrip];
    for (int64_t i = 0; i < k; ++i)
      for (int64_t lane = 0; lane < kStrip; ++lane) largest[lane] = std::max(largest[lane], std::fabs(smooth(i, lane)));
    for (int64_t lane = 0; lane < kStrip; ++lane) {
      inverse[lane] = largest[lane] > 0 ? 127.0f / largest[lane] : 0.0f;
      scale_.as<float>()[n0 + lane] = largest[lane] / 127.0f;
    }
    int32_t sums[kStrip] = {};
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t lane = 0; lane < kStrip; ++lane) {
        const auto q = static_cast<int8_t>(std::nearbyint(smooth(i, lane) * inverse[lane]));
        to[(i / 4 * kStrip + lane) * 4 + i % 4] = q;
        sums[lane] += q;
      }
    }
    for (int64_t lane = 0; lane < kStrip; ++lane) sum_.as<int32_t>()[n0 + lane] = sums[lane];
  }
}

Int8View PackedInt8::view(int64_t first) const {
  if (strips_.size() == 0) return {};
  return {.strips = strips_.as<int8_t>() + first * k_padded_,
          .scale = scale_.as<float>() + first,
          .sum = sum_.as<int32_t>() + first,
          .multiplier = multiplier_.size() == 0 ? nullptr : multiplier_.as<float>(),
          .k_padded = k_padded_};
}

}  // namespace tw
