// CUDA devices: whether there is one that this build has kernels for, and its memory and streams. Built where nvcc is
// (cmake/cuda.cmake); the decision itself is plain C++ and tested everywhere.
#pragma once

#include <span>
#include <string>

#include "core/device.h"

namespace tw {

// What the CUDA runtime says of a machine. Versions are 1000 major + 10 minor, as CUDA counts; 0: there is none.
struct CudaFacts {
  int driver_version = 0, needed_version = 0;
  int devices = 0;
  std::string failure = {};  // of the runtime where it could not count devices; empty if it could
  bool forked = false;       // the process is a child of one that has used CUDA, whose state it cannot use
  // Of the device asked for, if there is one.
  int ordinal = 0;
  std::string name = {};
  int major = 0, minor = 0;
};

// Compute capabilities, 10 major + minor, that a build has code for: `exact` runs on its own major version from that
// minor on; `ptx` is compiled by the driver for any device at least so new.
struct CudaTargets {
  std::span<const int> exact;
  int ptx;
};
// What TUWEN_CUDA_ARCHITECTURES is by default.
CudaTargets cuda_targets();

// Throws unsupported, in one sentence that names what is missing, unless the device can be used: no driver, one too
// old, a forked process, no device, no such device, a device without kernels (the message lists those compiled).
void require_cuda(const CudaFacts& facts, const CudaTargets& targets);

struct CudaDevice {
  DeviceHandle handle;
  std::string name;  // "NVIDIA H200"
};
// Asks the runtime and throws as require_cuda.
CudaDevice open_cuda(int ordinal);

}  // namespace tw
