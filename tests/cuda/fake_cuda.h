// A device whose kernels are CUDA's on the host shim and whose memory and streams are a fake driver's.
#pragma once

#include "kernels/cuda/host_shim/block.h"
#include "kernels/cuda/table_cuda.h"
#include "kernels/device.h"
#include "tests/support/fake_device.h"

namespace tw::test {

// Of the driver in use, which from here on records kernels as well as copies.
inline Device fake_device() {
  driver->keep_kernels = shim::keep_launches;
  return {device_handle(kFake, 1), &cuda_table()};
}

}  // namespace tw::test
