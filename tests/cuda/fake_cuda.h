// A device whose kernels are CUDA's on the host shim and whose memory and streams are a fake driver's.
#pragma once

#include "kernels/cuda/host_shim/block.h"
#include "kernels/cuda/table_cuda.h"
#include "kernels/device.h"
#include "tests/support/fake_device.h"

namespace tw::test {

// Kernels of this thread wait on the fake driver's streams, as copies do, and take a millisecond each there.
inline void leave_kernels_to_driver() {
  shim::keep_launches([](void* stream, shim::Kept launch) {
    const auto run = [run = std::move(launch.run)] {
      run();
      driver->milliseconds += 1;
    };
    driver->put(stream, {.run = run, .kernel = true, .begin = std::move(launch.begin)});
  });
}

// Of the driver in use.
inline Device fake_device(KernelsBegin begin = KernelsBegin::in_turn) {
  leave_kernels_to_driver();
  return {device_handle(kFake, 1), &cuda_table(begin), "fake", true};
}
inline Device fake_device_sm90(KernelsBegin begin = KernelsBegin::in_turn) {
  leave_kernels_to_driver();
  return {device_handle(kFake, 1), &cuda_table_sm90(begin), "fake", true};
}

}  // namespace tw::test
