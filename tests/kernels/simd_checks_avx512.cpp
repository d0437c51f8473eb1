#include "kernels/cpu/simd_avx512.h"
#include "tests/kernels/simd_checks-inl.h"

namespace tw::test {

const SimdFunctions& simd_functions_avx512() {
  static constexpr SimdFunctions kFunctions = simd_functions<F32x16>("F32x16");
  return kFunctions;
}

}  // namespace tw::test
