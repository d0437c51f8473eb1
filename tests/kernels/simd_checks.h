// The operations of one vector type as plain functions over arrays, so that a file compiled without its instruction set
// can test them. This header is compiled with every instruction set's flags: plain data only, nothing inline.
#pragma once

#include <cstdint>

namespace tw::test {

struct SimdFunctions {
  using Unary = void (*)(float* y, const float* a);
  using Binary = void (*)(float* y, const float* a, const float* b);
  using Ternary = void (*)(float* y, const float* a, const float* b, const float* c);

  const char* name;
  int lanes;
  // From memory to memory: all lanes, or loading (storing) the first `count` alone.
  Unary copy;
  void (*load_first)(float* y, const float* a, int count);
  void (*store_first)(float* y, const float* a, int count);
  void (*broadcast)(float* y, float all);
  Binary add, subtract, multiply, divide, max, min, copy_sign;
  Ternary fma, fnma;
  Unary round, abs;
  void (*select_less)(float* y, const float* a, const float* b, const float* yes, const float* no);
  void (*select_first)(float* y, int count, const float* yes, const float* no);
  Binary scale;  // a 2^floor(x)
  Unary rest_of_power, reciprocal;
  float (*sum)(const float* a);
  float (*max_lane)(const float* a);
  void (*load_f16)(float* y, const uint16_t* a);
  void (*load_bf16)(float* y, const uint16_t* a);
  void (*store_bf16)(uint16_t* y, const float* a);
  void (*transpose_16x16)(float* out, const float* in, int64_t stride, int rows, int columns);
  Unary exp, expm1, exp2, exp2_roughly, erf_over_sqrt2, tanh, sigmoid;
};

const SimdFunctions& simd_functions_scalar();
// Call these only on a CPU that has the features of cmake/isa.cmake.
const SimdFunctions& simd_functions_avx2();
const SimdFunctions& simd_functions_avx512();

}  // namespace tw::test
