#include "kernels/cpu/simd_avx2.h"
#include "tests/kernels/simd_checks-inl.h"

namespace tw::test {

const SimdFunctions& simd_functions_avx2() {
  static constexpr SimdFunctions kFunctions = simd_functions<F32x8>("F32x8");
  return kFunctions;
}

}  // namespace tw::test
