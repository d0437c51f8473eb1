// The words of CUDA C++ for a C++ compiler: with them the kernel sources are ordinary functions, which run() calls once
// per thread. Included by device_ops.h where nvcc does not compile.
#pragma once

#include "kernels/cuda/host_shim/block.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

#define threadIdx (::tw::shim::thread_index())
#define blockIdx (::tw::shim::block_index())
#define blockDim (::tw::shim::block_size())
#define gridDim (::tw::shim::grid_size())

#define TUWEN_SITE(what) (::tw::shim::Site{what, __FILE__, __LINE__})
#define __syncthreads() ::tw::shim::block_barrier(TUWEN_SITE("__syncthreads"))
#define __syncwarp() ::tw::shim::sync_warp(TUWEN_SITE("__syncwarp"), ~0u)
#define __shfl_xor_sync(mask, value, bits) ::tw::shim::shuffle_xor(TUWEN_SITE("__shfl_xor_sync"), mask, value, bits)
#define __shfl_down_sync(mask, value, by) ::tw::shim::shuffle_down(TUWEN_SITE("__shfl_down_sync"), mask, value, by)
#define __shfl_sync(mask, value, source) ::tw::shim::shuffle(TUWEN_SITE("__shfl_sync"), mask, value, source)

// A shared array of the block, and the dynamic shared memory of the launch, 128-byte aligned.
#define TUWEN_SHARED(type, name, count) \
  type* const name = reinterpret_cast<type*>(::tw::shim::shared_array(TUWEN_SITE(#name), sizeof(type) * (count)))
#define TUWEN_SHARED_DYNAMIC(name) \
  unsigned char* const name = reinterpret_cast<unsigned char*>(::tw::shim::dynamic_shared())

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

namespace tw::shim {

void sync_warp(Site site, uint32_t mask);
// The value of another lane, which has to take part. Past the warp's end shuffle_down gives a lane its own.
float shuffle_xor(Site site, uint32_t mask, float value, int bits);
float shuffle_down(Site site, uint32_t mask, float value, unsigned by);
float shuffle(Site site, uint32_t mask, float value, int source);
int shuffle(Site site, uint32_t mask, int value, int source);

}  // namespace tw::shim
