// What sm_90a has besides device_ops.h: barriers that count bytes, copies in bulk, and products of a warpgroup (four
// warps) that run while its threads go on. One name for each instruction, as there; host_shim/sm90.h is what they are
// on the CPU.
#pragma once

#include "kernels/cuda/device_ops.h"

#ifndef __CUDACC__
#include "kernels/cuda/host_shim/sm90.h"
#endif

// Code for no other device has these instructions: kernels are empty there.
#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define TUWEN_SM90A
#endif

namespace tw::cuda {

// In shared memory. A phase is over when as many threads as expected have arrived and as many bytes as were announced;
// then the next one begins. Its parity is that of its number, from 0.
using Barrier = uint64_t;

// Before anything else, by one thread; others see it after proxy_fence() and a barrier of the block.
__device__ __forceinline__ void barrier_init(Barrier* barrier, int expected) {
#ifdef __CUDACC__
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(expected) : "memory");
#else
  shim::barrier_init(barrier, expected);
#endif
}
// Arrives and announces bytes.
__device__ __forceinline__ void barrier_arrive_expecting(Barrier* barrier, int bytes) {
#ifdef __CUDACC__
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
#else
  shim::barrier_arrive_expecting(barrier, bytes);
#endif
}
// Until the phase of this parity is over: the current one or the one before.
__device__ __forceinline__ void barrier_wait(Barrier* barrier, uint32_t parity) {
#ifdef __CUDACC__
  uint32_t over;
  do {
    asm volatile(
        "{\n"
        ".reg .pred over;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\n"
        "selp.b32 %0, 1, 0, over;\n"
        "}"
        : "=r"(over)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  } while (over == 0);
#else
  shim::barrier_wait(TUWEN_SITE("mbarrier.try_wait"), barrier, parity);
#endif
}

// Arrives for this thread once all its copy_async() so far are done, as one of those that the barrier expects.
__device__ __forceinline__ void copies_arrive(Barrier* barrier) {
#ifdef __CUDACC__
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
#else
  shim::copies_arrive(barrier);
#endif
}
// Begins to copy into shared memory; addresses and bytes are multiples of 16. The bytes arrive at the barrier.
__device__ __forceinline__ void copy_bulk(void* to, const void* from, int bytes, Barrier* barrier) {
#ifdef __CUDACC__
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   shared_address(to)),
               "l"(from), "r"(bytes), "r"(shared_address(barrier))
               : "memory");
#else
  shim::begin_bulk_copy(to, from, bytes, barrier);
#endif
}

// Between what threads or copy_async() wrote to shared memory and what copy_bulk() or wgmma() does there.
__device__ __forceinline__ void proxy_fence() {
#ifdef __CUDACC__
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
  shim::proxy_fence();
#endif
}

// An operand of wgmma(): lines of 128 bytes of k in the 128-byte swizzle, eight of them in 1 KiB, which is aligned so.
// PTX ISA, "Matrix Descriptor Format": bits 0-13 the address, 16-29 the leading dimension's offset (not used with a
// swizzle), 32-45 that from eight lines to the next eight, each in units of 16 bytes; 62-63 the swizzle, 1: 128 bytes.
__device__ __forceinline__ uint64_t wgmma_operand(const void* lines) {
  constexpr uint64_t kUnit = 16, kEightLines = 1024, kSwizzle128 = 1;
  return (shared_address(lines) & 0x3FFFFu) / kUnit | uint64_t{1} << 16 | kEightLines / kUnit << 32 | kSwizzle128 << 62;
}
// The same lines from another byte of k on, a multiple of 32.
__device__ __forceinline__ uint64_t wgmma_operand_at(uint64_t operand, int byte) {
  return operand + static_cast<uint64_t>(byte / 16);
}

#ifdef __CUDACC__
#define TUWEN_EIGHT_REGISTERS(d, i)                                                                           \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])
#define TUWEN_32_REGISTERS(d, i)                                                                  \
  TUWEN_EIGHT_REGISTERS(d, i), TUWEN_EIGHT_REGISTERS(d, i + 8), TUWEN_EIGHT_REGISTERS(d, i + 16), \
      TUWEN_EIGHT_REGISTERS(d, i + 24)
#define TUWEN_REGISTERS_0_TO_31                                                                              \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22," \
  "%23, %24, %25, %26, %27, %28, %29, %30, %31"
#define TUWEN_REGISTERS_32_TO_63                                                                        \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51," \
  "%52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
// An instruction that the sums of a warpgroup must not be moved across.
#define TUWEN_WITH_SUMS(instruction)                                                           \
  if constexpr (kSums == 32) {                                                                 \
    asm volatile(instruction : TUWEN_32_REGISTERS(d, 0)::"memory");                            \
  } else {                                                                                     \
    asm volatile(instruction : TUWEN_32_REGISTERS(d, 0), TUWEN_32_REGISTERS(d, 32)::"memory"); \
  }
#endif

// Between what threads did to sums and a wgmma() that adds to them.
template <int kSums>
__device__ __forceinline__ void wgmma_fence(float (&d)[kSums]) {
#ifdef __CUDACC__
  TUWEN_WITH_SUMS("wgmma.fence.sync.aligned;")
#else
  shim::wgmma_fence(TUWEN_SITE("wgmma.fence"));
  static_cast<void>(d);
#endif
}

// Begins d = a b^T, or if kAdd d += a b^T, for 64 lines of a and 2 kSums of b, over 32 bytes of k of bf16, f16 or E4M3,
// with f32 sums. A thread's sums: host_shim/sm90.h, after the PTX ISA.
template <DType kType, bool kAdd, int kSums>
__device__ __forceinline__ void wgmma(float (&d)[kSums], uint64_t a, uint64_t b) {
  static_assert(kSums == 32 || kSums == 64);
  static_assert(kType == DType::bf16 || kType == DType::f16 || kType == DType::e4m3);
#ifdef __CUDACC__
  // Behind the operands: whether to add, the signs of a and b; for types of two bytes also that neither is transposed.
#define TUWEN_WGMMA(shape_and_types, more)                                                                            \
  if constexpr (kSums == 32) {                                                                                        \
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %34, 0;\nwgmma.mma_async.sync.aligned.m64n64" shape_and_types  \
                 " {" TUWEN_REGISTERS_0_TO_31 "}, %32, %33, add, 1, 1" more ";\n}"                                    \
                 : TUWEN_32_REGISTERS(d, 0)                                                                           \
                 : "l"(a), "l"(b), "n"(kAdd ? 1 : 0));                                                                \
  } else {                                                                                                            \
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %66, 0;\nwgmma.mma_async.sync.aligned.m64n128" shape_and_types \
                 " {" TUWEN_REGISTERS_0_TO_31 "," TUWEN_REGISTERS_32_TO_63 "}, %64, %65, add, 1, 1" more ";\n}"       \
                 : TUWEN_32_REGISTERS(d, 0), TUWEN_32_REGISTERS(d, 32)                                                \
                 : "l"(a), "l"(b), "n"(kAdd ? 1 : 0));                                                                \
  }
  if constexpr (kType == DType::bf16) {
    TUWEN_WGMMA("k16.f32.bf16.bf16", ", 0, 0")
  } else if constexpr (kType == DType::f16) {
    TUWEN_WGMMA("k16.f32.f16.f16", ", 0, 0")
  } else {
    TUWEN_WGMMA("k32.f32.e4m3.e4m3", "")
  }
#undef TUWEN_WGMMA
#else
  shim::wgmma(TUWEN_SITE("wgmma.mma_async"), kType, 2 * kSums, d, a, b, kAdd);
#endif
}

// What was begun since the last commit is a group.
__device__ __forceinline__ void wgmma_commit() {
#ifdef __CUDACC__
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
  shim::wgmma_commit(TUWEN_SITE("wgmma.commit_group"));
#endif
}
// Until at most kGroups groups are under way; sums can be used, and operands overwritten, that no such group has.
template <int kGroups, int kSums>
__device__ __forceinline__ void wgmma_wait(float (&d)[kSums]) {
#ifdef __CUDACC__
  if constexpr (kGroups == 0) {
    TUWEN_WITH_SUMS("wgmma.wait_group.sync.aligned 0;")
  } else {
    static_assert(kGroups == 1);
    TUWEN_WITH_SUMS("wgmma.wait_group.sync.aligned 1;")
  }
#else
  shim::wgmma_wait(TUWEN_SITE("wgmma.wait_group"), kGroups);
  static_cast<void>(d);
#endif
}

}  // namespace tw::cuda
