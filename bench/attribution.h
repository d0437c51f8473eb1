// From a profile of an encode to records: where each millisecond went, and how near the roofline that is.
#pragma once

#include "bench/limits.h"
#include "bench/report.h"
#include "tuwen/tuwen.hpp"

namespace tw::bench {

// One record a kind of operation, or a layer, in the order in which they first ran; then one for starting and ending
// the threads, and the whole. Each begins with the fields of `about`.
//   ms            compute + bandwidth + imbalance + barrier + between; those of all records add up to the whole
//   compute_ms    own parts, less
//   bandwidth_ms  what moving the operation's bytes takes where that is more than its FLOPs at the peak
//   imbalance_ms  waiting for the member that has most to do
//   barrier_ms    waiting besides; between_ms: between operations
//   roofline      the larger of FLOPs / peak and bytes / bandwidth (weights from memory, activations from cache), over
//   ms
std::vector<Record> attribute(const tuwen::Profile& profile, const Limits& limits, const Record& about, bool by_layer);

}  // namespace tw::bench
