// The tables of CUDA devices of compute capability 8.0 and newer.
#pragma once

#include "kernels/device_table.h"

namespace tw {

const DeviceTable& cuda_table();
// Of those that run code for sm_90a.
const DeviceTable& cuda_table_sm90();

}  // namespace tw
