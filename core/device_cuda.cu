// The CUDA runtime, linked statically: it looks for the driver when it is first asked, so programs start without one.
#include <cuda_runtime.h>
#include <unistd.h>

#include "core/device_cuda.h"

namespace tw {
namespace {

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(void* mark) { return static_cast<cudaEvent_t>(mark); }

// The process that asked for a device first. The runtime's state does not outlive fork().
pid_t first_process() {
  static const pid_t first = getpid();
  return first;
}
bool is_forked() { return getpid() != first_process(); }

// What a child has of its parent's is not there to be given back.
int unless_forked(cudaError_t (*release)(void*), void* memory) { return is_forked() ? cudaSuccess : release(memory); }

// A graph of what was captured, ready to be launched. A capture that failed leaves no error behind: the same work is
// put on the stream once more, and has its errors then.
int end_capture(void* stream, void** recording) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaError_t error = cudaStreamEndCapture(stream_of(stream), &graph);
  if (error == cudaSuccess) error = cudaGraphInstantiateWithFlags(&executable, graph, 0);
  if (graph != nullptr) cudaGraphDestroy(graph);
  if (error != cudaSuccess) cudaGetLastError();
  *recording = executable;
  return error;
}

constexpr DeviceApi kApi = {
    .name = "cuda",
    .use = [](int ordinal, int* before) -> int {
      if (before != nullptr)
        if (const cudaError_t error = cudaGetDevice(before); error != cudaSuccess) return error;
      const cudaError_t error = cudaSetDevice(ordinal);
      if (error == cudaSuccess) cudaGetLastError();
      return error;
    },
    .allocate = [](void** memory, int64_t bytes) -> int { return cudaMalloc(memory, static_cast<size_t>(bytes)); },
    .release = [](void* memory) -> int { return unless_forked(cudaFree, memory); },
    .allocate_mapped = [](void** memory, int64_t bytes) -> int {
      return cudaHostAlloc(memory, static_cast<size_t>(bytes), cudaHostAllocMapped | cudaHostAllocPortable);
    },
    .release_mapped = [](void* memory) -> int { return unless_forked(cudaFreeHost, memory); },
    .create_stream = [](void** stream) -> int {
      return cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking);
    },
    .destroy_stream = [](void* stream) -> int {
      return is_forked() ? cudaSuccess : cudaStreamDestroy(stream_of(stream));
    },
    .copy = [](void* to, const void* from, int64_t bytes, void* stream) -> int {
      return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream_of(stream));
    },
    // An event may go before it has happened.
    .follow = [](void* stream, void* earlier) -> int {
      cudaEvent_t event = nullptr;
      cudaError_t error = cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
      if (error != cudaSuccess) return error;
      error = cudaEventRecord(event, stream_of(earlier));
      if (error == cudaSuccess) error = cudaStreamWaitEvent(stream_of(stream), event, 0);
      cudaEventDestroy(event);
      return error;
    },
    // A launch that was refused is the runtime's last error, and not the stream's.
    .wait = [](void* stream) -> int {
      const cudaError_t launch = cudaGetLastError(), done = cudaStreamSynchronize(stream_of(stream));
      return launch != cudaSuccess ? launch : done;
    },
    // Of this thread alone: other sessions may allocate meanwhile.
    .begin_recording = [](void* stream) -> int {
      return cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal);
    },
    .end_recording = end_capture,
    .launch = [](void* recording, void* stream) -> int {
      return cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), stream_of(stream));
    },
    .release_recording = [](void* recording) -> int {
      return is_forked() ? cudaSuccess : cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording));
    },
    .create_mark = [](void** mark) -> int { return cudaEventCreate(reinterpret_cast<cudaEvent_t*>(mark)); },
    .destroy_mark = [](void* mark) -> int { return is_forked() ? cudaSuccess : cudaEventDestroy(event_of(mark)); },
    .set_mark = [](void* mark, void* stream) -> int { return cudaEventRecord(event_of(mark), stream_of(stream)); },
    .time_between = [](float* milliseconds, void* first, void* last) -> int {
      return cudaEventElapsedTime(milliseconds, event_of(first), event_of(last));
    },
    .describe = [](int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); },
    .out_of_memory = cudaErrorMemoryAllocation,
};

}  // namespace

CudaDevice open_cuda(int ordinal) {
  CudaFacts facts{.forked = is_forked(), .ordinal = ordinal};
  cudaDriverGetVersion(&facts.driver_version);
  cudaRuntimeGetVersion(&facts.needed_version);
  const auto fails = [&](cudaError_t result) {
    if (result != cudaSuccess && result != cudaErrorNoDevice && facts.failure.empty())
      facts.failure = cudaGetErrorString(result);
  };
  if (facts.driver_version != 0 && !facts.forked) fails(cudaGetDeviceCount(&facts.devices));
  if (ordinal >= 0 && ordinal < facts.devices) {
    cudaDeviceProp properties;
    const cudaError_t result = cudaGetDeviceProperties(&properties, ordinal);
    fails(result);
    if (result == cudaSuccess)
      facts.name = properties.name, facts.major = properties.major, facts.minor = properties.minor;
  }
  cudaGetLastError();  // what was found is in the facts
  const CudaTargets targets = read_cuda_targets(TUWEN_CUDA_COMPILED);
  require_cuda(facts, targets);
  const int capability = facts.major * 10 + facts.minor;
  return {device_handle(kApi, ordinal), facts.name, capability, has_sm90a(targets, capability),
          begins_early(targets, capability)};
}

}  // namespace tw
