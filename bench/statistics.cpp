#include "bench/statistics.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace tw::bench {

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Statistics summarize(std::vector<double> samples) {
  Statistics s;
  s.runs = static_cast<int64_t>(samples.size());
  if (samples.empty()) return s;
  std::sort(samples.begin(), samples.end());
  const double n = static_cast<double>(samples.size());
  s.mean = std::accumulate(samples.begin(), samples.end(), 0.0) / n;
  double squares = 0;
  for (const double x : samples) squares += (x - s.mean) * (x - s.mean);
  s.sd = std::sqrt(squares / n);
  const auto percentile = [&](double q) {
    const double position = q * (n - 1);
    const size_t below = static_cast<size_t>(position), above = std::min(below + 1, samples.size() - 1);
    return samples[below] + (position - static_cast<double>(below)) * (samples[above] - samples[below]);
  };
  s.min = samples.front();
  s.max = samples.back();
  s.median = percentile(0.5);
  s.p95 = percentile(0.95);
  s.p99 = percentile(0.99);
  return s;
}

}  // namespace tw::bench
