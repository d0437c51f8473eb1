// What kernels are written in besides CUDA C++: one name for each instruction that has to be spelled in PTX, and for
// each thing that differs where a C++ compiler builds the same sources for the host (host_shim/).
//
// No kernel uses an instruction in another way; so what runs in the tests is what nvcc compiles.
#pragma once

#include <math.h>

#include <cstdint>

#include "core/dtype.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
// A shared array of the block, and the dynamic shared memory of the launch.
#define TUWEN_SHARED(type, name, count) __shared__ __align__(128) type name[count]
#define TUWEN_SHARED_DYNAMIC(name) extern __shared__ __align__(128) unsigned char name[]
#else
#include "kernels/cuda/host_shim/cuda_names.h"
#include "kernels/cuda/host_shim/warp.h"
#endif

namespace tw::cuda {

constexpr int kWarpSize = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

// Waits until all kernels in front of this one on its stream have ended and what they wrote is there to be read. Then
// lets the next one begin, which it may when all blocks of this one have come here or ended: it takes no place that one
// of them needs.
//
// Kernels may begin early (launch.h). So every thread of every kernel calls this before it reads what a kernel may have
// written, before it writes to global memory at all, and before it returns; indices, shared memory and weights of
// products alone come in front of it. The hardware waits for no more than the kernel right in front, which has waited
// for its own: one whose blocks all returned without waiting could end while an earlier one still runs.
__device__ __forceinline__ void after_earlier_kernels() {
#if !defined(__CUDACC__)
  shim::wait_for_earlier_launches(TUWEN_SITE("griddepcontrol.wait"));
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ int thread_x() { return static_cast<int>(threadIdx.x); }
__device__ __forceinline__ int lane_of(int thread) { return thread % kWarpSize; }
__device__ __forceinline__ int warp_of(int thread) { return thread / kWarpSize; }

// Over all lanes, in an order that depends on nothing; every lane gets the result.
__device__ __forceinline__ float warp_sum(float v) {
  for (int bits = kWarpSize / 2; bits > 0; bits /= 2) v += __shfl_xor_sync(kAllLanes, v, bits);
  return v;
}
__device__ __forceinline__ float warp_max(float v) {
  for (int bits = kWarpSize / 2; bits > 0; bits /= 2) v = fmaxf(v, __shfl_xor_sync(kAllLanes, v, bits));
  return v;
}
// The same over the four lanes that share a row of an accumulator fragment.
__device__ __forceinline__ float quad_sum(float v) {
  v += __shfl_xor_sync(kAllLanes, v, 1);
  return v + __shfl_xor_sync(kAllLanes, v, 2);
}
__device__ __forceinline__ float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(kAllLanes, v, 1));
  return fmaxf(v, __shfl_xor_sync(kAllLanes, v, 2));
}

__device__ __forceinline__ float widen_bf16(uint16_t h) {
#ifdef __CUDACC__
  return __uint_as_float(static_cast<uint32_t>(h) << 16);
#else
  return tw::bf16_to_f32(h);
#endif
}

__device__ __forceinline__ float widen_f16(uint16_t h) {
#ifdef __CUDACC__
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
#else
  return tw::f16_to_f32(h);
#endif
}

// Two numbers of kType, bf16 or f16: to nearest, ties to even, `low` into the lower half. A NaN stays a NaN.
template <DType kType>
__device__ __forceinline__ uint32_t round_pair(float low, float high) {
  static_assert(kType == DType::bf16 || kType == DType::f16);
#ifdef __CUDACC__
  uint32_t pair;
  if constexpr (kType == DType::bf16) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  }
  return pair;
#else
  const auto round = kType == DType::bf16 ? tw::f32_to_bf16 : tw::f32_to_f16;
  return static_cast<uint32_t>(round(low)) | static_cast<uint32_t>(round(high)) << 16;
#endif
}
template <DType kType>
__device__ __forceinline__ uint16_t round_half(float v) {
  return static_cast<uint16_t>(round_pair<kType>(v, 0.0f));
}

// Two numbers as E4M3, at most 448 in magnitude: sm_89 and newer.
__device__ __forceinline__ uint16_t round_e4m3_pair(float low, float high) {
#if !defined(__CUDACC__)
  return static_cast<uint16_t>(tw::f32_to_e4m3(low) | tw::f32_to_e4m3(high) << 8);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
  uint16_t pair;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(high), "f"(low));
  return pair;
#else
  __trap();
  return 0;
#endif
}

// d += a b, with f32 sums, of bf16 or f16 (k = 16) or E4M3 (k = 32; sm_89 and newer). Layouts: host_shim/warp.h, after
// the PTX ISA; in bytes they are the same.
template <DType kType>
__device__ __forceinline__ void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  static_assert(kType == DType::bf16 || kType == DType::f16 || kType == DType::e4m3);
#ifdef __CUDACC__
#define TUWEN_MMA(shape_and_types)                                                                                    \
  asm volatile("mma.sync.aligned." shape_and_types " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                       \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1))
  if constexpr (kType == DType::bf16) {
    TUWEN_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
  } else if constexpr (kType == DType::f16) {
    TUWEN_MMA("m16n8k16.row.col.f32.f16.f16.f32");
  } else {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
    TUWEN_MMA("m16n8k32.row.col.f32.e4m3.e4m3.f32");
#else
    __trap();
#endif
  }
#undef TUWEN_MMA
#else
  const uint32_t b[2] = {b0, b1};
  shim::mma_m16n8(TUWEN_SITE("mma"), kType, d, a, b);
#endif
}

// Where something lies in the block's shared memory.
__device__ __forceinline__ uint32_t shared_address(const void* at) {
#ifdef __CUDACC__
  return static_cast<uint32_t>(__cvta_generic_to_shared(at));
#else
  return shim::shared_address(at);
#endif
}

__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
#ifdef __CUDACC__
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#else
  shim::ldmatrix_x4(TUWEN_SITE("ldmatrix"), r, row, false);
#endif
}

__device__ __forceinline__ void ldmatrix_x4_transposed(uint32_t (&r)[4], const void* row) {
#ifdef __CUDACC__
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#else
  shim::ldmatrix_x4(TUWEN_SITE("ldmatrix.trans"), r, row, true);
#endif
}

// Begins to copy the first `bytes` of kSize = 4 or 16 bytes into shared memory, zeros behind them. `from` has to be an
// address within the array even if bytes is 0. Over after copies_wait(), for other threads after a barrier as well.
template <int kSize>
__device__ __forceinline__ void copy_async(void* to, const void* from, int bytes) {
  static_assert(kSize == 4 || kSize == 16);
#ifdef __CUDACC__
  if constexpr (kSize == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes)
                 : "memory");
  }
#else
  shim::begin_copy(to, from, kSize, bytes);
#endif
}
__device__ __forceinline__ void copies_commit() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  shim::commit_copies();
#endif
}
// Until at most kGroups committed groups of this thread are under way.
template <int kGroups>
__device__ __forceinline__ void copies_wait() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
#else
  shim::wait_for_copies(kGroups);
#endif
}

}  // namespace tw::cuda
