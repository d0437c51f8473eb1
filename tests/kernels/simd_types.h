// The vector types that this CPU can run.
#pragma once

#include <catch2/catch.hpp>

#include "core/cpu_info.h"
#include "tests/kernels/simd_checks.h"

namespace tw::test {

template <class Body>
void for_each_vector_type(Body body) {
  const CpuInfo cpu = query_cpu();
  const auto run = [&](const SimdFunctions& simd) {
    INFO("vector type " << simd.name);
    body(simd);
  };
  run(simd_functions_scalar());
  if (cpu.avx2) run(simd_functions_avx2());
  if (cpu.avx512) run(simd_functions_avx512());
}

}  // namespace tw::test
