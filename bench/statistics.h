// From samples to the figures that a benchmark reports.
#pragma once

#include <cstdint>
#include <vector>

namespace tw::bench {

// Milliseconds. Percentiles are interpolated linearly between samples, as numpy does; sd is that of the population.
struct Statistics {
  int64_t runs = 0;
  double mean = 0, sd = 0, min = 0, median = 0, max = 0, p95 = 0, p99 = 0;
};

Statistics summarize(std::vector<double> samples);

// How often to run.
struct Repetition {
  int warmup = 10;       // runs before the first sample
  int least = 20;        // samples at least
  int most = 100000;     // samples at most
  double seconds = 1.0;  // samples are taken for at least this long
};

// Calls work() and takes the time of each call.
template <class Work>
Statistics measure(const Repetition& repetition, Work work);

double now_ms();  // a monotonic clock

template <class Work>
Statistics measure(const Repetition& repetition, Work work) {
  for (int i = 0; i < repetition.warmup; ++i) work();
  std::vector<double> samples;
  const double start = now_ms();
  while (static_cast<int>(samples.size()) < repetition.most &&
         (static_cast<int>(samples.size()) < repetition.least || now_ms() - start < repetition.seconds * 1e3)) {
    const double begin = now_ms();
    work();
    samples.push_back(now_ms() - begin);
  }
  return summarize(std::move(samples));
}

}  // namespace tw::bench
