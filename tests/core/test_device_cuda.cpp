// Which CUDA devices are used, and the one sentence that says why one is not.
#include <catch2/catch.hpp>

#include "core/device_cuda.h"
#include "core/error.h"

namespace tw::test {
namespace {

CudaFacts h200() {
  return {.driver_version = 13000, .needed_version = 13000, .devices = 2, .ordinal = 1, .name = "H200", .major = 9};
}

std::string refusal(const CudaFacts& facts) {
  try {
    require_cuda(facts, cuda_targets());
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::unsupported);
    return error.what();
  }
  return "";
}

std::string refusal_of(int major, int minor) {
  CudaFacts f = h200();
  f.major = major;
  f.minor = minor;
  return refusal(f);
}

}  // namespace

TEST_CASE("cuda device: those with kernels, and those newer than the compiled intermediate code") {
  for (const auto& [major, minor] : {std::pair{8, 0}, {8, 6}, {8, 7}, {8, 9}, {9, 0}, {10, 0}, {12, 0}})
    CHECK(refusal_of(major, minor) == "");
  CHECK_THAT(refusal_of(7, 5),
             Catch::Matchers::Contains("sm_80, sm_86, sm_89, sm_90") && Catch::Matchers::Contains("H200, sm_75"));
}

TEST_CASE("cuda device: each thing that is missing has its own sentence") {
  CudaFacts f = h200();
  f.driver_version = 0;
  CHECK(refusal(f) ==
        "unsupported: device \"cuda\": expected an NVIDIA driver, found none: the CPU can be used instead");
  f = h200();
  f.driver_version = 12080;
  CHECK_THAT(refusal(f), Catch::Matchers::Contains("expected a driver for CUDA 13.0, found one for CUDA 12.8"));
  f.driver_version = 14010;
  CHECK(refusal(f) == "");
  f = h200();
  f.forked = true;
  CHECK_THAT(refusal(f), Catch::Matchers::Contains("found a fork of one that uses it"));
  f = h200();
  f.failure = "system has unsupported display driver";
  CHECK_THAT(refusal(f), Catch::Matchers::Contains("unsupported display driver"));
  f = h200();
  f.devices = 0;
  CHECK_THAT(refusal(f), Catch::Matchers::Contains("expected a CUDA device, found none"));
  for (const int ordinal : {-1, 2}) {
    f = h200();
    f.ordinal = ordinal;
    CHECK_THAT(refusal(f), Catch::Matchers::Contains("from 0 to 1"));
  }
}

}  // namespace tw::test
