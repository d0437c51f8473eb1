// CUDA devices: whether there is one that this build has kernels for, and its memory and streams. Built where nvcc is
// (cmake/cuda.cmake); the decision itself is plain C++ and tested everywhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// What a build has code for. Compute capabilities are 10 major + minor.
struct CudaTargets {
  struct Exact {
    int capability;
    bool alone;  // runs on that one only (sm_90a); else on its major version from that minor on
  };
  std::vector<Exact> exact;
  std::optional<int> ptx;  // compiled by the driver for any device at least so new
};
// From what CMAKE_CUDA_ARCHITECTURES has: "80-real,90a-real,90-virtual"; "90" is both. Throws malformed.
CudaTargets read_cuda_targets(std::string_view architectures);

// Whether there is code for sm_90a and the device runs it: products by warpgroups (kernels/cuda/linear_sm90.cu).
bool has_sm90a(const CudaTargets& targets, int capability);

// Whether a kernel can begin before the one in front of it on a stream has ended: from compute capability 9.0 on, if
// the code that runs there is no older (kernels/cuda/device_ops.h: after_earlier_kernels).
bool begins_early(const CudaTargets& targets, int capability);

// Throws unsupported, in one sentence that names what is missing, unless the device can be used: no driver, one too
// old, a forked process, no device, no such device, a device without kernels (the message lists those compiled).
void require_cuda(const CudaFacts& facts, const CudaTargets& targets);

struct CudaDevice {
  DeviceHandle handle;
  std::string name;  // "NVIDIA H200"
  int capability;    // compute capability, 10 major + minor
  bool sm90a;        // runs code for sm_90a
  bool early;        // begins_early()

  bool multiplies_e4m3() const { return capability >= 89; }
};
// Asks the runtime and throws as require_cuda.
CudaDevice open_cuda(int ordinal);

}  // namespace tw
