// SimdFunctions of any vector type; each instruction set's file instantiates it.
#pragma once

#include "kernels/cpu/math-inl.h"
#include "tests/kernels/simd_checks.h"

namespace tw {
namespace {

template <class V>
constexpr test::SimdFunctions simd_functions(const char* name) {
  using F = float*;
  using C = const float*;
  return {
      .name = name,
      .lanes = V::kLanes,
      .copy = [](F y, C a) { V::load(a).store(y); },
      .load_first = [](F y, C a, int count) { V::load(a, First{count}).store(y); },
      .store_first = [](F y, C a, int count) { V::load(a).store(y, First{count}); },
      .broadcast = [](F y, float all) { V(all).store(y); },
      .add = [](F y, C a, C b) { (V::load(a) + V::load(b)).store(y); },
      .subtract = [](F y, C a, C b) { (V::load(a) - V::load(b)).store(y); },
      .multiply = [](F y, C a, C b) { (V::load(a) * V::load(b)).store(y); },
      .divide = [](F y, C a, C b) { (V::load(a) / V::load(b)).store(y); },
      .max = [](F y, C a, C b) { max(V::load(a), V::load(b)).store(y); },
      .min = [](F y, C a, C b) { min(V::load(a), V::load(b)).store(y); },
      .copy_sign = [](F y, C a, C b) { copy_sign(V::load(a), V::load(b)).store(y); },
      .fma = [](F y, C a, C b, C c) { fma(V::load(a), V::load(b), V::load(c)).store(y); },
      .fnma = [](F y, C a, C b, C c) { fnma(V::load(a), V::load(b), V::load(c)).store(y); },
      .round = [](F y, C a) { round(V::load(a)).store(y); },
      .abs = [](F y, C a) { abs(V::load(a)).store(y); },
      .select_less = [](F y, C a, C b, C yes,
                        C no) { select(less(V::load(a), V::load(b)), V::load(yes), V::load(no)).store(y); },
      .select_first = [](F y, int count, C yes, C no) { select(First{count}, V::load(yes), V::load(no)).store(y); },
      .scale = [](F y, C a, C x) { scale(power_of_two(V::load(x)), V::load(a)).store(y); },
      .rest_of_power = [](F y, C x) { power_of_two(V::load(x)).rest.store(y); },
      .reciprocal = [](F y, C a) { reciprocal(V::load(a)).store(y); },
      .sum = [](C a) { return sum(V::load(a)); },
      .max_lane = [](C a) { return max_lane(V::load(a)); },
      .load_f16 = [](F y, const uint16_t* a) { load_f16(V(0.0f), a).store(y); },
      .load_bf16 = [](F y, const uint16_t* a) { load_bf16(V(0.0f), a).store(y); },
      .store_bf16 = [](uint16_t* y, C a) { store_bf16(y, V::load(a)); },
      .transpose_16x16 = [](F out, C in, int64_t stride, int rows,
                            int columns) { transpose_16x16(V(0.0f), out, in, stride, rows, First{columns}); },
      .exp = [](F y, C a) { exp(V::load(a)).store(y); },
      .expm1 = [](F y, C a) { expm1(V::load(a)).store(y); },
      .exp2 = [](F y, C a) { exp2(V::load(a)).store(y); },
      .exp2_roughly = [](F y, C a) { exp2_roughly(V::load(a)).store(y); },
      .erf_over_sqrt2 = [](F y, C a) { erf_over_sqrt2(V::load(a)).store(y); },
      .tanh = [](F y, C a) { tanh(V::load(a)).store(y); },
      .sigmoid = [](F y, C a) { sigmoid(V::load(a)).store(y); },
  };
}

}  // namespace
}  // namespace tw
