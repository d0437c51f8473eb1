// The table of CUDA devices of compute capability 8.0 and newer.
#pragma once

#include "kernels/device_table.h"

namespace tw {

const DeviceTable& cuda_table();

}  // namespace tw
