#include "core/device_cuda.h"

#include <algorithm>
#include <charconv>

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

bool runs_exactly(const CudaTargets& targets, int device) {
  return std::any_of(targets.exact.begin(), targets.exact.end(), [=](const CudaTargets::Exact& e) {
    return e.alone ? e.capability == device : e.capability / 10 == device / 10 && e.capability <= device;
  });
}
bool runs_on(const CudaTargets& targets, int device) {
  return runs_exactly(targets, device) || (targets.ptx && device >= *targets.ptx);
}

// "sm_80, sm_90a, or sm_90 and newer"
std::string text(const CudaTargets& targets) {
  std::string compiled;
  const auto add = [&](const std::string& target) { compiled += (compiled.empty() ? "" : ", ") + target; };
  for (const CudaTargets::Exact& e : targets.exact) add(capability(e.capability) + (e.alone ? "a" : ""));
  if (targets.ptx) add((compiled.empty() ? "" : "or ") + capability(*targets.ptx) + " and newer");
  return compiled;
}

// One of the list.
void read_target(CudaTargets& targets, std::string_view entry) {
  const auto ends = [&](std::string_view end) {
    if (!entry.ends_with(end)) return false;
    entry.remove_suffix(end.size());
    return true;
  };
  const std::string whole(entry);
  const bool ptx_alone = ends("-virtual"), code_alone = !ptx_alone && ends("-real"), alone = ends("a");
  if (!alone) ends("f");
  int number = 0;
  const auto [stop, error] = std::from_chars(entry.data(), entry.data() + entry.size(), number);
  if (error != std::errc() || stop != entry.data() + entry.size() || number < 10)
    throw Error(ErrorCode::malformed,
                {.field = "CUDA architectures", .expected = "80-real, 90a-real, 90-virtual ...", .found = whole});
  if (!ptx_alone || alone) targets.exact.push_back({number, alone});
  if (!code_alone && !alone) targets.ptx = std::min(targets.ptx.value_or(number), number);
}

}  // namespace

CudaTargets read_cuda_targets(std::string_view architectures) {
  CudaTargets targets;
  for (size_t begin = 0, end = 0; end < architectures.size(); begin = end + 1) {
    end = std::min(architectures.find(',', begin), architectures.size());
    read_target(targets, architectures.substr(begin, end - begin));
  }
  return targets;
}

bool has_sm90a(const CudaTargets& targets, int capability) {
  return capability == 90 && std::any_of(targets.exact.begin(), targets.exact.end(),
                                         [](const CudaTargets::Exact& e) { return e.alone && e.capability == 90; });
}

bool begins_early(const CudaTargets& targets, int capability) {
  constexpr int kFirst = 90;
  return capability >= kFirst && (runs_exactly(targets, capability) || targets.ptx.value_or(0) >= kFirst);
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
  unsupported("a device of " + text(targets), f.name + ", " + capability(f.major * 10 + f.minor));
}

}  // namespace tw
