#include "bench/attribution.h"

#include <algorithm>
#include <string_view>

namespace tw::bench {
namespace {

struct Sum {
  std::string what;
  int64_t calls = 0;
  double compute = 0, bandwidth = 0, imbalance = 0, barrier = 0, between = 0;
  double flops = 0, weight_bytes = 0, activation_bytes = 0, bound = 0;  // ms

  double ms() const { return compute + bandwidth + imbalance + barrier + between; }
  void add(const Sum& other) {
    calls += other.calls;
    compute += other.compute, bandwidth += other.bandwidth, imbalance += other.imbalance, barrier += other.barrier;
    between += other.between, flops += other.flops, weight_bytes += other.weight_bytes;
    activation_bytes += other.activation_bytes, bound += other.bound;
  }
};

Sum sum_of(const tuwen_profiled& op, const Limits& limits) {
  Sum s;
  s.calls = 1;
  s.imbalance = op.imbalance_ms;
  s.barrier = op.barrier_ms;
  s.between = op.between_ms;
  s.flops = op.flops;
  s.weight_bytes = op.weight_bytes;
  s.activation_bytes = op.activation_bytes;
  const double peak = limits.peak(op.type);
  const double at_peak = peak > 0 ? 1e3 * op.flops / peak : 0;
  const double moving = 1e3 * (op.weight_bytes / limits.dram + op.activation_bytes / limits.cache);
  s.bound = std::max(at_peak, moving);
  if (moving > at_peak) s.bandwidth = std::min(moving, op.work_ms);
  s.compute = op.work_ms - s.bandwidth;
  return s;
}

std::string kind_of(const tuwen_profiled& op) {
  std::string name = op.operation;
  if (op.k > 0) name += " " + std::to_string(op.rows) + "x" + std::to_string(op.columns) + "x" + std::to_string(op.k);
  return op.k > 0 || std::string_view(op.operation) == "attention" ? name + " " + op.type : name;
}

std::string layer_of(const tuwen_profiled& op, bool layers_seen) {
  if (op.layer >= 0) return "layer " + std::to_string(op.layer);
  return layers_seen ? "after the layers" : "before the layers";
}

Record record_of(const Sum& s, const Record& about, double whole) {
  Record r = about;
  r["what"] = s.what;
  r["calls"] = s.calls;
  r["ms"] = s.ms();
  r["share"] = whole > 0 ? s.ms() / whole : 0;
  r["compute_ms"] = s.compute;
  r["bandwidth_ms"] = s.bandwidth;
  r["imbalance_ms"] = s.imbalance;
  r["barrier_ms"] = s.barrier;
  r["between_ms"] = s.between;
  r["gflop"] = s.flops / 1e9;
  r["weight_mb"] = s.weight_bytes / 1e6;
  r["activation_mb"] = s.activation_bytes / 1e6;
  if (s.ms() > 0) {
    r["gflops"] = s.flops / s.ms() / 1e6;
    r["roofline"] = s.bound / s.ms();
  }
  return r;
}

}  // namespace

std::vector<Record> attribute(const tuwen::Profile& profile, const Limits& limits, const Record& about, bool by_layer) {
  const tuwen_profile_info info = profile.info();
  std::vector<Sum> sums;
  Sum whole;
  bool layers_seen = false;
  for (size_t i = 0; i < profile.size(); ++i) {
    const tuwen_profiled op = profile.at(i);
    layers_seen = op.layer >= 0 || (layers_seen && i > 0);
    const std::string what = by_layer ? layer_of(op, layers_seen) : kind_of(op);
    auto found = std::find_if(sums.begin(), sums.end(), [&](const Sum& s) { return s.what == what; });
    if (found == sums.end()) {
      sums.emplace_back();
      found = sums.end() - 1;
      found->what = what;
    }
    const Sum one = sum_of(op, limits);
    found->add(one);
    whole.add(one);
  }
  Sum threads;
  threads.what = "starting and ending threads";
  threads.between = info.start_ms + info.finish_ms;
  sums.push_back(threads);
  whole.add(threads);
  whole.what = "whole";
  sums.push_back(whole);
  std::vector<Record> records;
  for (const Sum& s : sums) records.push_back(record_of(s, about, whole.ms()));
  records.back()["wall_ms"] = info.wall_ms;
  return records;
}

}  // namespace tw::bench
