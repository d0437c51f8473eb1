// Every CUDA kernel by the checks of kernels/check, which every table of the CPU has to pass.
#include <catch2/catch.hpp>

#include "kernels/check/check.h"
#include "tests/cuda/kernels_under_test.h"
#include "tests/cuda/under_test.h"

namespace tw::test {

TEST_CASE("cuda: every entry of the table is within its contract, in any order of threads") {
  in_every_order([seed = uint64_t{1}]() mutable {
    for (const CheckResult& result : check_table(kernels_under_test(), seed++)) {
      INFO(result.name << ": " << result.detail);
      CHECK(result.passed);
      report(result.name, result.worst);
    }
  });
}

}  // namespace tw::test
