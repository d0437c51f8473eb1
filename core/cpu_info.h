// What this CPU and this operating system can run.
#pragma once

#include <string>

namespace tw {

// A feature is true only if the CPU has it and the operating system saves its registers.
struct CpuInfo {
  bool avx2 = false;          // AVX2, FMA, F16C, BMI1, BMI2, LZCNT: the flags of TUWEN_AVX2_FLAGS
  bool avx_vnni = false;      // 256-bit int8 dot products
  bool avx512 = false;        // F, BW, DQ, VL, CD on top of avx2: the flags of TUWEN_AVX512_FLAGS
  bool avx512_vnni = false;   // 512-bit int8 dot products
  bool avx512_bf16 = false;   // 512-bit bf16 dot products
  bool slow_bf16 = false;     // and they take longer than f32 multiply-adds on widened pairs: Intel, one in two cycles
  bool amx = false;           // AMX tiles for bf16 and int8, on top of the AVX-512 ones, and permission to use them
  std::string brand;          // "Intel(R) Xeon(R) ..."
  int cores = 1;              // logical CPUs this process may use (affinity and cgroup quota)
  std::string flags() const;  // the true features by name, space-separated
};

// Asks the CPU each time; a few microseconds. Where there are AMX tiles it also asks the system for permission to use
// them, for this process and once and for all: without it their first use ends the process.
CpuInfo query_cpu();

}  // namespace tw
