#include "bench/limits.h"

#include <algorithm>

#include "bench/peak.h"

namespace tw::bench {

double Limits::seconds(const Flops& flops) const {
  double sum = 0;
  const auto add = [&](double work, double rate) { sum += work > 0 && rate > 0 ? work / rate : 0; };
  add(flops.f32, f32);
  add(flops.bf16, bf16);
  add(flops.int8, int8);
  return sum;
}

double Limits::floor_seconds(const Flops& flops, double weight_bytes) const {
  return std::max(seconds(flops), dram > 0 ? weight_bytes / dram : 0);
}

Limits measure_limits(const char* isa, std::string_view precision, int threads) {
  Limits limits;
  limits.f32 = peak_of(isa, "f32", threads);
  if (precision != "f32") limits.bf16 = peak_of(isa, "bf16", threads);
  if (precision == "int8") limits.int8 = peak_of(isa, "int8", threads);
  limits.dram = read_bandwidth(int64_t{256} << 20, threads);
  limits.cache = read_bandwidth(int64_t{1} << 20, threads);
  return limits;
}

Limits higher(const Limits& a, const Limits& b) {
  return {std::max(a.f32, b.f32), std::max(a.bf16, b.bf16), std::max(a.int8, b.int8), std::max(a.dram, b.dram),
          std::max(a.cache, b.cache)};
}

}  // namespace tw::bench
