// What an encode is held against: the peak of each type and the bandwidths of the moment.
#pragma once

#include <string_view>

#include "bench/model_flops.h"

namespace tw::bench {

// Operations and bytes a second of `threads` threads.
struct Limits {
  double f32 = 0, bf16 = 0, int8 = 0;  // of the instructions that a kernel table uses for the type; 0 for `reference`
  double dram = 0;                     // reading memory
  double cache = 0;                    // reading what was just written, 1 MB a thread

  double peak(std::string_view type) const { return type == "int8" ? int8 : type == "bf16" ? bf16 : f32; }
  // Seconds at these peaks, each type at its own; and with the weights read once, whichever is longer.
  double seconds(const Flops& flops) const;
  double floor_seconds(const Flops& flops, double weight_bytes) const;
};

// A second or two. The types that `precision` has work in alone.
Limits measure_limits(const char* isa, std::string_view precision, int threads);

// Measured twice, before and after something: shared machines change their clock, so the higher counts.
Limits higher(const Limits& before, const Limits& after);

}  // namespace tw::bench
