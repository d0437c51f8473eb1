#include "core/device_cuda.h"

#include "core/error.h"

namespace tw {
namespace {

constexpr const char* kInstead = "the CPU can be used instead";

[[noreturn]] void unsupported(const std::string& expected, const std::string& found) {
  throw Error(ErrorCode::unsupported,
              {.field = "device \"cuda\"", .expected = expected, .found = found, .note = kInstead});
}

std::string version(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }
std::string capability(int c) { return "sm_" + std::to_string(c); }

bool runs_on(const CudaTargets& targets, int device) {
  for (const int c : targets.exact)
    if (c / 10 == device / 10 && c <= device) return true;
  return device >= targets.ptx;
}

}  // namespace

CudaTargets cuda_targets() {
  static constexpr int kExact[] = {80, 86, 89, 90};
  return {kExact, 90};
}

void require_cuda(const CudaFacts& f, const CudaTargets& targets) {
  if (f.driver_version == 0) unsupported("an NVIDIA driver", "none");
  if (f.driver_version / 1000 < f.needed_version / 1000)
    unsupported("a driver for CUDA " + version(f.needed_version), "one for CUDA " + version(f.driver_version));
  if (f.forked) unsupported("a process that uses CUDA by itself", "a fork of one that uses it (start it with spawn)");
  if (!f.failure.empty()) unsupported("a working driver", f.failure);
  if (f.devices == 0) unsupported("a CUDA device", "none");
  if (f.ordinal < 0 || f.ordinal >= f.devices)
    unsupported("a device from 0 to " + std::to_string(f.devices - 1), std::to_string(f.ordinal));
  if (runs_on(targets, f.major * 10 + f.minor)) return;
  std::string compiled;
  for (const int c : targets.exact) compiled += capability(c) + ", ";
  unsupported("one of " + compiled + "or newer than " + capability(targets.ptx),
              f.name + ", " + capability(f.major * 10 + f.minor));
}

}  // namespace tw
