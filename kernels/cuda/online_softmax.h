// A softmax that runs along with its scores: Milakov and Gimelshein 2018, arXiv:1805.02867.
#pragma once

#include "kernels/cuda/device_ops.h"

namespace tw::cuda {

// What to subtract where `largest` is the largest score so far: where all of them were -infinity, nothing, or they
// would be NaN before others are known. (If they stay alone, 0 / 0 makes the row NaN in the end.)
__device__ __forceinline__ float shift_of(float largest) { return largest == -HUGE_VALF ? 0.0f : largest; }

}  // namespace tw::cuda
