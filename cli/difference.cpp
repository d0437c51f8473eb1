#include "cli/difference.h"

#include <algorithm>
#include <cmath>

namespace tuwen_cli {

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (aa == 0 || bb == 0) return aa == bb ? 1 : 0;
  return std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

void Difference::add(std::span<const float> exact, std::span<const float> near, size_t columns) {
  for (size_t begin = 0; begin + columns <= exact.size(); begin += columns) {
    const double c = cosine(exact.subspan(begin, columns), near.subspan(begin, columns));
    worst_ = std::min(worst_, c);
    sum_ += c;
    ++rows_;
  }
  for (size_t i = 0; i < exact.size(); ++i) {
    const double x = static_cast<double>(exact[i]), e = static_cast<double>(near[i]) - x;
    size_ += x * x;
    error_ += e * e;
  }
}

double Difference::relative_error() const {
  if (error_ == 0) return 0;
  return size_ == 0 ? HUGE_VAL : std::sqrt(error_ / size_);
}

}  // namespace tuwen_cli
