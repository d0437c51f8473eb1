#include "models/fp8.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/checked_math.h"

namespace tw {
namespace {

// The largest power of two that keeps `magnitude` times it at `limit` or below; 1 for 0.
float factor_for(float magnitude, float limit) {
  if (!(magnitude > 0)) return 1.0f;
  return std::ldexp(1.0f, std::clamp(std::ilogb(limit / magnitude), -100, 100));
}

// What column n of the product lacks on average once its weights are rounded: the rounding errors times the mean input.
// Nagel et al. 2019, arXiv:1906.04721, section 4.2.
float lost_on_average(const PackedMatrix& exact, const PackedMatrix& rounded, int64_t n, const ProductInput& input) {
  const int64_t strip = n / kStrip * kStrip, lane = n % kStrip;
  const float* from = exact.f32_strip_at(strip);
  const auto* to = static_cast<const uint16_t*>(rounded.strip_at(strip));
  double sum = 0;
  for (int64_t k = 0; k < exact.k(); ++k) {
    const float near = bf16_to_f32(to[(k / 2 * kStrip + lane) * 2 + k % 2]);
    sum += static_cast<double>(from[k * kStrip + lane] - near) * static_cast<double>(input.mean(k));
  }
  return static_cast<float>(sum);
}

}  // namespace

void make_fp8(Linear& w, const ProductInput& input) {
  constexpr float kRoom = 2.0f;
  const int64_t n = round_up(w.weights.n(), kStrip);
  const std::vector<float>& seen = input.largest();
  w.fp8.input = factor_for(*std::max_element(seen.begin(), seen.end()), kLargestE4m3 / kRoom);
  w.fp8.weights = Buffer(n * size_of(DType::f32), "weights");
  auto* factors = w.fp8.weights.as<float>();
  for (int64_t n0 = 0; n0 < n; n0 += kStrip) {
    const float* strip = w.weights.f32_strip_at(n0);
    float largest[kStrip] = {};
    for (int64_t k = 0; k < w.weights.k(); ++k)
      for (int64_t lane = 0; lane < kStrip; ++lane)
        largest[lane] = std::max(largest[lane], std::fabs(strip[k * kStrip + lane]));
    for (int64_t lane = 0; lane < kStrip; ++lane) factors[n0 + lane] = factor_for(largest[lane], kLargestE4m3);
  }
  PackedMatrix rounded = w.weights.rounded_to_e4m3(factors);
  for (int64_t n0 = 0; n0 < w.bias.size() / size_of(DType::f32); ++n0)
    w.bias.as<float>()[n0] += lost_on_average(w.weights, rounded, n0, input);
  w.weights = std::move(rounded);
}

}  // namespace tw
