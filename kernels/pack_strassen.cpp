#include "kernels/pack_strassen.h"

namespace tw {

PackedStrassen::PackedStrassen(const PackedMatrix& weights)
    : memory_(bytes_for(weights.n(), weights.k()), "weights"), columns_(weights.n() / 2), depth_(weights.k() / 2) {
  for (int64_t n0 = 0; n0 < columns_; n0 += kStrip) {
    float* to = memory_.as<float>() + n0 * depth_;
    const float *left = weights.f32_strip_at(n0), *right = weights.f32_strip_at(columns_ + n0);  // [k][kStrip]
    for (int64_t i = 0; i < depth_ * kStrip; ++i) {
      const auto b11 = static_cast<double>(left[i]), b12 = static_cast<double>(right[i]);
      const auto b21 = static_cast<double>(left[depth_ * kStrip + i]);
      const auto b22 = static_cast<double>(right[depth_ * kStrip + i]);
      const double factors[kStrassenProducts] = {b11 + b22, b11, b12 - b22, b21 - b11, b22, b11 + b12, b21 + b22};
      for (int64_t m = 0; m < kStrassenProducts; ++m) to[m * apart() + i] = static_cast<float>(factors[m]);
    }
  }
}

}  // namespace tw
