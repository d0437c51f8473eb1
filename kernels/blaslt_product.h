// One product in bf16 or f16 as a device's library computes it (core/blaslt.h).
#pragma once

#include "core/blaslt.h"
#include "kernels/device_table.h"

namespace tw {

// What a library reads besides what LinearNarrowArgs has: the same weights row by row.
struct PlainWeights {
  const void* rows = nullptr;  // [columns, k] in the type of the product, dense; null: there are none
  const void* bias = nullptr;  // [columns] in that type, for results that are not f32; null: there is none
};

// A device's library in use, of the calling thread's device.
struct OpenBlasLt {
  BlasLtApi api;
  void* handle;
};

// Descriptions of the matrices and of what is done with them; a product may be computed many times, to other places of
// the same layout. Nothing throws: what a library refuses, for whatever reason, others have to compute. One thread at a
// time.
class BlasLtProduct {
 public:
  // Bytes that the computation of a product may use, at a multiple of 256.
  static constexpr int64_t kWorkspace = int64_t{32} << 20;

  // Whether a library could compute it: bf16 or f16, an activation only where results are of that type too.
  static bool takes(const LinearNarrowArgs& p, const PlainWeights& w);

  // `p` as takes() it. The activation is not the library's.
  BlasLtProduct(const OpenBlasLt& library, const LinearNarrowArgs& p, const PlainWeights& w);
  ~BlasLtProduct();
  BlasLtProduct(const BlasLtProduct&) = delete;
  BlasLtProduct& operator=(const BlasLtProduct&) = delete;

  // Fills `found` from its beginning with ways to compute it, for matrices that begin where these do; how many.
  int candidates(std::span<blaslt::Candidate> found) const;
  // Whether it can be computed so.
  bool can(const blaslt::Algorithm& algorithm) const;
  // Puts it on the stream: `y` as p.y, and then the activation by `own`. False if nothing was put there.
  bool run(const blaslt::Algorithm& algorithm, void* y, void* workspace, const DeviceTable& own,
           DeviceStream stream) const;

 private:
  bool describe();

  const OpenBlasLt& library_;
  const LinearNarrowArgs& p_;
  const PlainWeights& w_;
  void *product_ = nullptr, *weights_ = nullptr, *x_ = nullptr, *y_ = nullptr;
  bool whole_;  // all of them are there
};

// The largest power of two, up to 256, that an address is a multiple of.
uint32_t alignment_of(const void* address);
// Of a product's, as PlainWeights and LinearNarrowArgs have it; null: none.
const void* library_bias(const LinearNarrowArgs& p, const PlainWeights& w);

}  // namespace tw
