// What this machine can do at most: the yardstick of every share that the benchmark prints.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/cpu_info.h"

namespace tw::bench {

// Loops of independent multiply-adds on registers; `sink` receives something so that nothing is optimised away.
// Each iteration does kPeakChains vector instructions, or four of tiles.
constexpr int kPeakChains = 24;
void peak_avx2_fma(int64_t iterations, float* sink);     // 16 FLOP an instruction
void peak_avx512_fma(int64_t iterations, float* sink);   // 32
void peak_avx512_bf16(int64_t iterations, float* sink);  // 64
void peak_avx512_int8(int64_t iterations, float* sink);  // 128
void peak_amx_bf16(int64_t iterations, float* sink);     // 16,384
void peak_amx_int8(int64_t iterations, float* sink);     // 32,768

// read_words() (bench/peak_read-inl.h) in the widest loads of the instruction set.
uint64_t peak_avx2_read(const uint64_t* words, int64_t count, int64_t passes);
uint64_t peak_avx512_read(const uint64_t* words, int64_t count, int64_t passes);

enum class Arithmetic { f32_avx2, f32_avx512, bf16_avx512, bf16_amx, int8_avx512, int8_amx };
constexpr Arithmetic kAllArithmetic[] = {Arithmetic::f32_avx2, Arithmetic::f32_avx512,  Arithmetic::bf16_avx512,
                                         Arithmetic::bf16_amx, Arithmetic::int8_avx512, Arithmetic::int8_amx};
const char* name(Arithmetic arithmetic);
bool runs_on(const CpuInfo& cpu, Arithmetic arithmetic);

// Operations a second (a multiply and an add count as two), best of several short runs on `threads` threads at once.
double peak_rate(Arithmetic arithmetic, int threads);

// Bytes a second that `threads` threads read from buffers of `bytes` (a multiple of 512) each, best of several runs.
// Every run's sum is held against the right one, so that no word was left out; throws internal otherwise.
double read_bandwidth(int64_t bytes, int threads);

// peak_rate() of what a kernel table computes products of "f32", "bf16" or "int8" with; tables without dot-product
// instructions of that type are held against their f32 peak. 0 for `reference`.
double peak_of(const char* isa, std::string_view precision, int threads);

}  // namespace tw::bench
