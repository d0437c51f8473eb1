// How kernels are started: grids as plain values, computed by pure functions next to each kernel (geometry.h), and one
// function that hands them to the CUDA runtime, or to the host shim where a C++ compiler builds the sources.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/device_ops.h"

namespace tw::cuda {

// A cudaStream_t; what a kernel of one stream reads and writes is as if they ran in the order of their launches.
// `early`: a kernel may begin before those in front of it have ended (after_earlier_kernels()); what it runs then is
// code for sm_90 or newer.
struct Stream {
  Stream(void* cuda_stream, bool kernels_begin_early = false) : stream(cuda_stream), early(kernels_begin_early) {}
  void* stream;
  bool early;
};

struct Geometry {
  int64_t blocks_x = 0, blocks_y = 1, blocks_z = 1;
  int threads = 0;
  int64_t shared_bytes = 0;  // dynamic
};

// Starts kernel(arguments...) and returns. Nothing to do is no error: a launch of no blocks is left out. What the
// runtime refuses is kept by it: the next call that checks (kernels/device_table.h) reports it.
template <class... Parameters, class... Arguments>
void launch(const Geometry& g, Stream stream, void (*kernel)(Parameters...), const Arguments&... arguments) {
  if (g.blocks_x == 0 || g.blocks_y == 0 || g.blocks_z == 0) return;
#ifdef __CUDACC__
  constexpr int64_t kWithoutAsking = 48 * 1024;
  if (g.shared_bytes > kWithoutAsking) {
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(g.shared_bytes));
    // Room for as many blocks as the kernel is made for, not for one.
    cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared);
  }
  // Of a kernel in front alone: what else is in front, a copy or another stream's event, has to be over.
  cudaLaunchAttribute early = {};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim =
      dim3(static_cast<unsigned>(g.blocks_x), static_cast<unsigned>(g.blocks_y), static_cast<unsigned>(g.blocks_z));
  config.blockDim = dim3(static_cast<unsigned>(g.threads));
  config.dynamicSmemBytes = static_cast<size_t>(g.shared_bytes);
  config.stream = static_cast<cudaStream_t>(stream.stream);
  config.attrs = &early;
  config.numAttrs = stream.early ? 1 : 0;
  cudaLaunchKernelEx(&config, kernel, arguments...);
#else
  const auto size = [](int64_t n) { return static_cast<unsigned>(n); };
  shim::start(stream.stream,
              {{size(g.blocks_x), size(g.blocks_y), size(g.blocks_z)},
               {static_cast<unsigned>(g.threads), 1, 1},
               static_cast<size_t>(g.shared_bytes),
               true,
               stream.early},
              [=] { kernel(arguments...); });  // copies, as a device has
#endif
}

// start(kType) with the type as a constant: one that tensor cores multiply.
template <class Start>
void with_narrow_type(DType type, Start start) {
  switch (type) {
    case DType::f16:
      return start(std::integral_constant<DType, DType::f16>());
    case DType::e4m3:
      return start(std::integral_constant<DType, DType::e4m3>());
    default:
      return start(std::integral_constant<DType, DType::bf16>());
  }
}

}  // namespace tw::cuda
