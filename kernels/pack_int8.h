// Eight-bit weights, made from packed f32 ones.
#pragma once

#include <cstdint>

#include "core/buffer.h"
#include "kernels/pack.h"

namespace tw {

// What a product reads of them; null strips: there are none. Fields as in LinearInt8Args.
struct Int8View {
  const int8_t* strips = nullptr;
  const float* scale = nullptr;
  const int32_t* sum = nullptr;
  const float* multiplier = nullptr;  // [k] of the activations, before they are quantised
  int64_t k_padded = 0;
};

// A weight matrix in s8 with a scale a column of the product. Immutable.
class PackedInt8 {
 public:
  PackedInt8() = default;
  // smoothing [k], positive: column k of the weights is multiplied by smoothing[k] before rounding and the activations
  // by its inverse, which leaves the product as it is and moves the range of outlier channels from the activations into
  // the weights. Xiao et al. 2023, arXiv:2211.10438. Null: 1. Throws out_of_memory.
  PackedInt8(const PackedMatrix& weights, const float* smoothing);

  // From the strip that begins with column `first`, a multiple of kStrip.
  Int8View view(int64_t first) const;
  int64_t bytes() const { return strips_.size() + scale_.size() + sum_.size() + multiplier_.size(); }

 private:
  Buffer strips_, scale_, sum_, multiplier_;
  int64_t k_padded_ = 0;
};

}  // namespace tw
