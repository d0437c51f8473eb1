#include "models/product_input.h"

#include <algorithm>
#include <cmath>

#include "core/checked_math.h"

namespace tw {
namespace {

// To the nearest integer, ties to even, for magnitudes below 2^22: what the C library's nearbyint gives, without a
// call.
float rounded(float v) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23
  return (v + kShift) - kShift;
}

}  // namespace

ProductInput::ProductInput(int64_t k)
    : largest_(static_cast<size_t>(k)), sum_(static_cast<size_t>(k)), rows_(static_cast<size_t>(ceil_div(k, kLine))) {}

ProductInput::ProductInput(std::vector<float> largest, const std::vector<float>& mean)
    : largest_(std::move(largest)),
      sum_(mean.begin(), mean.end()),
      rows_(static_cast<size_t>(ceil_div(std::ssize(mean), kLine)), 1) {}

void ProductInput::see(Tensor x, int64_t part, int64_t parts) {
  const Range lines = share(static_cast<int64_t>(rows_.size()), part, parts);
  const int64_t begin = lines.begin * kLine, end = std::min(lines.end * kLine, x.columns);
  float* largest = largest_.data();
  double* sum = sum_.data();
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* row = x.f32_row(r);
    for (int64_t c = begin; c < end; ++c) {
      largest[c] = std::max(largest[c], std::fabs(row[c]));
      sum[c] += static_cast<double>(row[c]);
    }
  }
  for (int64_t line = lines.begin; line < lines.end; ++line) rows_[static_cast<size_t>(line)] += x.rows;
}

float ProductInput::mean(int64_t column) const {
  const int64_t rows = rows_[static_cast<size_t>(column / kLine)];
  return rows == 0 ? 0 : static_cast<float>(sum_[static_cast<size_t>(column)] / static_cast<double>(rows));
}

std::vector<float> smoothing_factors(const PackedMatrix& w, const ProductInput& input) {
  const std::vector<float>& fed = input.largest();
  std::vector<float> used(fed.size()), factors(fed.size(), 1.0f);
  for (int64_t n0 = 0; n0 < w.n(); n0 += kStrip) {
    const float* strip = w.f32_strip_at(n0);
    for (size_t i = 0; i < used.size(); ++i, strip += kStrip)
      for (int64_t lane = 0; lane < kStrip; ++lane) used[i] = std::max(used[i], std::fabs(strip[lane]));
  }
  for (size_t i = 0; i < fed.size(); ++i)
    if (fed[i] > 0 && used[i] > 0) factors[i] = std::clamp(std::sqrt(fed[i] / used[i]), 1e-3f, 1e3f);
  return factors;
}

std::vector<float> lost_to_rounding(const PackedMatrix& w, const ProductInput& input,
                                    const std::vector<float>& factors) {
  const size_t k = factors.size();
  std::vector<float> lost(static_cast<size_t>(round_up(w.n(), kStrip))), mean(k);
  for (size_t i = 0; i < k; ++i) mean[i] = input.mean(static_cast<int64_t>(i)) / factors[i];
  for (int64_t n0 = 0; n0 < w.n(); n0 += kStrip) {
    const float* strip = w.f32_strip_at(n0);  // [k][kStrip]
    float largest[kStrip] = {}, scale[kStrip], inverse[kStrip], sums[kStrip] = {};
    for (size_t i = 0; i < k; ++i)
      for (size_t lane = 0; lane < kStrip; ++lane)
        largest[lane] = std::max(largest[lane], std::fabs(strip[i * kStrip + lane] * factors[i]));
    for (size_t lane = 0; lane < kStrip; ++lane) {
      scale[lane] = largest[lane] / 127.0f;
      inverse[lane] = largest[lane] > 0 ? 127.0f / largest[lane] : 0.0f;
    }
    for (size_t i = 0; i < k; ++i) {
      for (size_t lane = 0; lane < kStrip; ++lane) {
        const float exact = strip[i * kStrip + lane] * factors[i];
        sums[lane] += mean[i] * (exact - rounded(exact * inverse[lane]) * scale[lane]);
      }
    }
    std::copy(sums, sums + kStrip, lost.begin() + n0);
  }
  return lost;
}

}  // namespace tw
