// What the environment says of CUDA devices.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "api/environment.h"
#include "tests/support/expect_error.h"

namespace tw::test {

TEST_CASE("cuda environment: early launch is wanted where that is said, and nothing else can be said") {
  constexpr const char* kName = "TUWEN_CUDA_EARLY_LAUNCH";
  unsetenv(kName);
  CHECK_FALSE(wants_early_launch());
  for (const char* no : {"", "0"}) {
    setenv(kName, no, 1);
    CHECK_FALSE(wants_early_launch());
  }
  setenv(kName, "1", 1);
  CHECK(wants_early_launch());
  setenv(kName, "yes", 1);
  expect_error(
      ErrorCode::invalid_argument, [] { wants_early_launch(); }, kName, "found yes");
  unsetenv(kName);
}

}  // namespace tw::test
