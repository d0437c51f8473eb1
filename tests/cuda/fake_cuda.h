// A device whose kernels are CUDA's on the host shim and whose memory and streams are a fake driver's.
#pragma once

#include "kernels/cuda/host_shim/block.h"
#include "kernels/cuda/table_cuda.h"
#include "kernels/device.h"
#include "tests/support/fake_device.h"

namespace tw::test {

// Kernels of this thread wait on the fake driver's streams, as copies do, and take a millisecond each there.
inline void leave_kernels_to_driver() {
  shim::keep_launches([](void* stream, std::function<void()> launch) {
    driver->put(stream, [run = std::move(launch)] {
      run();
      driver->milliseconds += 1;
    });
  });
}

// Of the driver in use.
inline Device fake_device() {
  leave_kernels_to_driver();
  return {device_handle(kFake, 1), &cuda_table(), "fake", true};
}
inline Device fake_device_sm90() {
  leave_kernels_to_driver();
  return {device_handle(kFake, 1), &cuda_table_sm90(), "fake", true};
}

}  // namespace tw::test
