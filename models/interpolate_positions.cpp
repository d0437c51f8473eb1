#include <algorithm>
#include <cmath>

#include "models/forward.h"

namespace tw {
namespace {

// Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 4, with a = -0.75 as PyTorch has it.
struct Taps {
  int64_t at[4];
  float weight[4];
};

Taps taps(int64_t to, int64_t in, int64_t out) {
  constexpr double kA = -0.75;
  const double x = (static_cast<double>(to) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
  const double whole = std::floor(x), t = x - whole;
  const auto near = [](double d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
  const auto far = [](double d) { return ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
  const double weights[4] = {far(t + 1), near(t), near(1 - t), far(2 - t)};
  Taps result;
  for (int64_t i = 0; i < 4; ++i) {
    result.at[i] = std::clamp<int64_t>(static_cast<int64_t>(whole) - 1 + i, 0, in - 1);
    result.weight[i] = static_cast<float>(weights[i]);
  }
  return result;
}

}  // namespace

std::vector<float> interpolated_positions(const float* table, int64_t n, int64_t rows, int64_t columns, int64_t width) {
  std::vector<float> out(static_cast<size_t>((1 + rows * columns) * width));
  std::copy(table, table + width, out.begin());
  float* to = out.data() + width;
  for (int64_t r = 0; r < rows; ++r) {
    const Taps y = taps(r, n, rows);
    for (int64_t c = 0; c < columns; ++c, to += width) {
      const Taps x = taps(c, n, columns);
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) {
          const float weight = y.weight[i] * x.weight[j];
          const float* from = table + (1 + y.at[i] * n + x.at[j]) * width;
          for (int64_t d = 0; d < width; ++d) to[d] += weight * from[d];
        }
      }
    }
  }
  return out;
}

}  // namespace tw
