// Which way to compute a product is the fastest on the device at hand: its own kernel, or one of a library's.
#pragma once

#include <optional>

#include "core/device.h"
#include "kernels/blaslt_product.h"

namespace tw {

// Where a product is computed.
struct ProductPlace {
  const DeviceApi& device;
  const DeviceTable& own;
  const OpenBlasLt& library;
  DeviceStream stream;
  void* workspace;  // BlasLtProduct::kWorkspace bytes
};

struct TrialResult {
  bool decided = true;  // false: what the own kernel computed is not finite, so nothing could be compared with it
  std::optional<blaslt::Algorithm> algorithm = {};  // of the library; none: the own kernel
};

// Computes `p`, which BlasLtProduct takes(), by the own kernel and in up to eight of the library's ways, from the x
// that is there on the stream, into memory of its own; p.y is not touched. A way whose results are farther from the own
// kernel's than roundings explain is out; of the rest the one with the least median time is chosen. Whatever fails on
// the way is out too, and where that leaves nothing the own kernel is chosen. Takes device memory for two results, and
// returns when the stream is empty. Not while the stream is recorded.
// Throws what the device reports of work that was on the stream before.
TrialResult try_product(const ProductPlace& place, const LinearNarrowArgs& p, const PlainWeights& w);

}  // namespace tw
