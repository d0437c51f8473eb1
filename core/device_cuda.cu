// The CUDA runtime, linked statically: it looks for the driver when it is first asked, so programs start without one.
#include <cuda_runtime.h>

#include "core/device_cuda.h"

namespace tw {
namespace {

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }

constexpr DeviceApi kApi = {
    .name = "cuda",
    .allocate = [](void** memory, int64_t bytes) -> int { return cudaMalloc(memory, static_cast<size_t>(bytes)); },
    .release = [](void* memory) -> int { return cudaFree(memory); },
    .allocate_mapped = [](void** memory, int64_t bytes) -> int {
      return cudaHostAlloc(memory, static_cast<size_t>(bytes), cudaHostAllocMapped | cudaHostAllocPortable);
    },
    .release_mapped = [](void* memory) -> int { return cudaFreeHost(memory); },
    .create_stream = [](void** stream) -> int {
      return cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking);
    },
    .destroy_stream = [](void* stream) -> int { return cudaStreamDestroy(stream_of(stream)); },
    .copy = [](void* to, const void* from, int64_t bytes, void* stream) -> int {
      return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream_of(stream));
    },
    // A launch that was refused is the runtime's last error, and not the stream's.
    .wait = [](void* stream) -> int {
      const cudaError_t launch = cudaGetLastError(), done = cudaStreamSynchronize(stream_of(stream));
      return launch != cudaSuccess ? launch : done;
    },
    .describe = [](int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); },
    .out_of_memory = cudaErrorMemoryAllocation,
};

}  // namespace

const DeviceApi& open_cuda(int ordinal) {
  CudaFacts facts{.ordinal = ordinal};
  cudaDriverGetVersion(&facts.driver_version);
  cudaRuntimeGetVersion(&facts.needed_version);
  const auto fails = [&](cudaError_t result) {
    if (result != cudaSuccess && result != cudaErrorNoDevice && facts.failure.empty())
      facts.failure = cudaGetErrorString(result);
  };
  if (facts.driver_version != 0) fails(cudaGetDeviceCount(&facts.devices));
  if (ordinal >= 0 && ordinal < facts.devices) {
    cudaDeviceProp properties;
    const cudaError_t result = cudaGetDeviceProperties(&properties, ordinal);
    fails(result);
    if (result == cudaSuccess)
      facts.name = properties.name, facts.major = properties.major, facts.minor = properties.minor;
    fails(cudaSetDevice(ordinal));
  }
  cudaGetLastError();  // what was found is in the facts
  require_cuda(facts, cuda_targets());
  return kApi;
}

}  // namespace tw
