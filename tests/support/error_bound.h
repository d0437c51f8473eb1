// Componentwise error bounds for f32 results against a double reference: Higham, "Accuracy and Stability of Numerical
// Algorithms", 2nd ed., section 3.1. The bound of each element comes from the magnitudes of its own terms, so a wrong
// small element cannot hide behind a large neighbour.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <sstream>
#include <string>

namespace tw::test {

constexpr double kF32Unit = 0x1p-24;  // unit roundoff
constexpr double kBf16Unit = 0x1p-9;

// How many roundings an f32 sum of `terms` passes through at most when it is split over `partial_sums` accumulators
// (vector lanes times unrolled registers) that are then added pairwise.
inline double summation_depth(int64_t terms, int64_t partial_sums = 1) {
  const auto parts = static_cast<double>(partial_sums);
  return std::ceil(static_cast<double>(terms) / parts) + std::ceil(std::log2(parts)) + 1.0;
}

struct BoundReport {
  double worst =
      0.0;  // the largest |got - ref| / bound; infinite when a result is NaN that should not be, or the sizes differ
  int64_t index = -1;  // where
  double got = 0.0;
  double expected = 0.0;
  double bound = 0.0;

  bool ok() const { return worst <= 1.0; }
  std::string describe() const {
    std::ostringstream out;
    out.precision(9);
    out << "error/bound " << worst << " at [" << index << "]: got " << got << ", expected " << expected << " +- "
        << bound;
    return out.str();
  }
};

// bound_at(i) is the permitted absolute error of element i. NaN and infinity must be met exactly.
template <class BoundAt>
BoundReport check_error(std::span<const float> got, std::span<const double> expected, BoundAt bound_at) {
  BoundReport report;
  if (got.size() != expected.size()) {
    report.worst = std::numeric_limits<double>::infinity();
    return report;
  }
  for (size_t i = 0; i < got.size(); ++i) {
    const auto value = static_cast<double>(got[i]);
    const double bound = bound_at(i);
    double ratio;
    if (std::isfinite(expected[i]) && std::isfinite(value)) {
      ratio = std::abs(value - expected[i]) / (bound + FLT_MIN);  // FLT_MIN: a subnormal may be flushed
    } else {
      const bool same = std::isnan(expected[i]) ? std::isnan(value) : value == expected[i];
      ratio = same ? 0.0 : std::numeric_limits<double>::infinity();
    }
    if (ratio > report.worst || report.index < 0) {
      report = {ratio, static_cast<int64_t>(i), value, expected[i], bound};
    }
  }
  return report;
}

// |got - ref| <= c (depth u) magnitude + u |ref|, with magnitude = sum of |terms| and depth from summation_depth().
inline BoundReport check_sum(std::span<const float> got, std::span<const double> expected,
                             std::span<const double> magnitude, double depth, double unit = kF32Unit, double c = 2.0) {
  return check_error(got, expected,
                     [&](size_t i) { return c * depth * unit * magnitude[i] + unit * std::abs(expected[i]); });
}

// |got - ref| <= relative |ref| + absolute.
inline BoundReport check_relative(std::span<const float> got, std::span<const double> expected, double relative,
                                  double absolute) {
  return check_error(got, expected, [&](size_t i) { return relative * std::abs(expected[i]) + absolute; });
}

}  // namespace tw::test
