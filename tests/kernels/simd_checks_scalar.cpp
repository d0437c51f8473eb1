#include "kernels/cpu/simd_scalar.h"
#include "tests/kernels/simd_checks-inl.h"

namespace tw::test {

const SimdFunctions& simd_functions_scalar() {
  static constexpr SimdFunctions kFunctions = simd_functions<F32x1>("F32x1");
  return kFunctions;
}

}  // namespace tw::test
