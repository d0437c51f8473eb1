#include "api/device.h"

#include <charconv>
#include <utility>

#include "core/error.h"
#ifdef TUWEN_HAVE_CUDA
#include "api/environment.h"
#include "core/device_blaslt.h"
#include "core/device_cuda.h"
#include "kernels/cuda/table_cuda.h"
#endif

namespace tw {
namespace {

Device cuda_device(int ordinal) {
#ifdef TUWEN_HAVE_CUDA
  CudaDevice cuda = open_cuda(ordinal);
  const auto begin = wants_early_launch() && cuda.early ? KernelsBegin::early : KernelsBegin::in_turn;
  return {cuda.handle, &(cuda.sm90a ? cuda_table_sm90(begin) : cuda_table(begin)), std::move(cuda.name),
          cuda.multiplies_e4m3(), cublaslt};
#else
  throw Error(ErrorCode::unsupported, {.field = "device \"cuda:" + std::to_string(ordinal) + "\"",
                                       .expected = "a build with CUDA kernels",
                                       .found = "one that had no nvcc",
                                       .note = "the CPU can be used instead"});
#endif
}

}  // namespace

Device open_device(const std::string& name, const char* argument) {
  constexpr std::string_view kCuda = "cuda", kNumbered = "cuda:";
  if (name == "cpu") return {};
  if (name == kCuda) return cuda_device(0);
  if (name.starts_with(kNumbered)) {
    int ordinal = 0;
    const char *begin = name.data() + kNumbered.size(), *end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(begin, end, ordinal);
    if (error == std::errc() && stop == end && ordinal >= 0) return cuda_device(ordinal);
  }
  throw Error(ErrorCode::invalid_argument,
              {.field = argument, .expected = "\"cpu\", \"cuda\" or \"cuda:0\"", .found = printable(name)});
}

std::string device_text(const Device& device) {
  return device ? device.handle.api->name + (":" + std::to_string(device.handle.ordinal)) : "cpu";
}

}  // namespace tw
