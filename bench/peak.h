// What this machine can do at most: the yardstick of every share that the benchmark prints.
#pragma once

#include <cstdint>

#include "core/cpu_info.h"

namespace tw::bench {

// Loops of independent multiply-adds on registers; `sink` receives something so that nothing is optimised away.
// Each iteration does kPeakChains vector instructions.
constexpr int kPeakChains = 24;
void peak_avx2_fma(int64_t iterations, float* sink);     // 16 FLOP an instruction
void peak_avx512_fma(int64_t iterations, float* sink);   // 32
void peak_avx512_bf16(int64_t iterations, float* sink);  // 64
void peak_avx512_int8(int64_t iterations, float* sink);  // 128

enum class Arithmetic { f32_avx2, f32_avx512, bf16, int8 };
const char* name(Arithmetic arithmetic);
bool runs_on(const CpuInfo& cpu, Arithmetic arithmetic);

// Operations a second (a multiply and an add count as two), best of several short runs on `threads` threads at once.
double peak_rate(Arithmetic arithmetic, int threads);

// Bytes a second that `threads` threads read from buffers of `bytes` each, best of several passes.
double read_bandwidth(int64_t bytes, int threads);

// peak_rate() of what a kernel table computes f32 with. 0 for `reference`.
double f32_peak_of(const char* isa, int threads);
// The same for eight-bit products; tables without dot-product instructions are held against their f32 peak.
double int8_peak_of(const char* isa, int threads);

}  // namespace tw::bench
