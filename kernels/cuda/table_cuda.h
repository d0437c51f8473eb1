// The tables of CUDA devices of compute capability 8.0 and newer.
#pragma once

#include "kernels/device_table.h"

namespace tw {

// When a kernel may begin: when the one in front of it on its stream has ended, or before, where the device can
// (core/device_cuda.h: begins_early). Results do not depend on it.
enum class KernelsBegin { in_turn, early };

const DeviceTable& cuda_table(KernelsBegin begin = KernelsBegin::in_turn);
// Of those that run code for sm_90a.
const DeviceTable& cuda_table_sm90(KernelsBegin begin = KernelsBegin::in_turn);

}  // namespace tw
