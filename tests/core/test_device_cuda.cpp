// Which CUDA devices are used, and the one sentence that says why one is not.
#include <catch2/catch.hpp>

#include "core/device_cuda.h"
#include "core/error.h"

namespace tw::test {
namespace {

CudaFacts h200() {
  return {.driver_version = 13000, .needed_version = 13000, .devices = 2, .ordinal = 1, .name = "H200", .major = 9};
}

// What TUWEN_CUDA_ARCHITECTURES is by default.
constexpr const char* kDefault = "80-real,86-real,89-real,90a-real,90-virtual";

std::string refusal(const CudaFacts& facts, const char* targets = kDefault) {
  try {
    require_cuda(facts, read_cuda_targets(targets));
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::unsupported);
    return error.what();
  }
  return "";
}

std::string refusal_of(int major, int minor, const char* targets = kDefault) {
  CudaFacts f = h200();
  f.major = major;
  f.minor = minor;
  return refusal(f, targets);
}

}  // namespace

TEST_CASE("cuda device: those with kernels, and those newer than the compiled intermediate code") {
  for (const auto& [major, minor] : {std::pair{8, 0}, {8, 6}, {8, 7}, {8, 9}, {9, 0}, {10, 0}, {12, 0}})
    CHECK(refusal_of(major, minor) == "");
  CHECK_THAT(refusal_of(7, 5), Catch::Matchers::Contains("sm_80, sm_86, sm_89, sm_90a, or sm_90 and newer") &&
                                   Catch::Matchers::Contains("H200, sm_75"));
}

TEST_CASE("cuda device: a build has code for what it was compiled for, and no other") {
  CHECK(refusal_of(9, 0, "90a-real") == "");
  CHECK_THAT(refusal_of(8, 9, "90a-real"), Catch::Matchers::Contains("expected a device of sm_90a, found H200, sm_89"));
  CHECK(refusal_of(10, 0, "90a-real") != "");
  CHECK(refusal_of(10, 0, "100a-real") == "");
  CHECK(refusal_of(10, 3, "100a-real") != "");
  CHECK(refusal_of(10, 3, "100f-real") == "");
  CHECK(refusal_of(9, 0, "90a-virtual") == "");
  CHECK(refusal_of(12, 0, "90a-virtual") != "");
  CHECK(refusal_of(8, 6, "80-real") == "");
  CHECK(refusal_of(9, 0, "80-real") != "");
  CHECK(refusal_of(9, 0, "80") == "");  // code and PTX
  CHECK(refusal_of(7, 5, "80") != "");
  CHECK_THAT(refusal_of(8, 0, "90-virtual"), Catch::Matchers::Contains("expected a device of sm_90 and newer, found"));
  for (const char* bad : {"sm_90", "90b-real", "native", "80,,90", "-real", "9"})
    CHECK_THROWS_WITH(read_cuda_targets(bad), Catch::Matchers::Contains("CUDA architectures"));
}

TEST_CASE("cuda device: code for sm_90a is for compute capability 9.0 alone, where it was compiled") {
  CHECK(has_sm90a(read_cuda_targets(kDefault), 90));
  CHECK(has_sm90a(read_cuda_targets("90a"), 90));
  for (const int capability : {80, 86, 89, 100, 120}) CHECK_FALSE(has_sm90a(read_cuda_targets(kDefault), capability));
  for (const char* targets : {"80-real,90-virtual", "90", "90-real", "100a-real,90-virtual"})
    CHECK_FALSE(has_sm90a(read_cuda_targets(targets), 90));
}

TEST_CASE("cuda device: kernels begin early where compute capability and the code that runs there are 9.0 or newer") {
  for (const int capability : {90, 100, 120}) CHECK(begins_early(read_cuda_targets(kDefault), capability));
  for (const int capability : {80, 86, 89}) CHECK_FALSE(begins_early(read_cuda_targets(kDefault), capability));
  for (const char* targets : {"80", "80-virtual", "80-real,89-virtual", "100a-real,89-virtual"})
    CHECK_FALSE(begins_early(read_cuda_targets(targets), 90));
  for (const char* targets : {"90", "90a-real", "90-real,80-virtual"})
    CHECK(begins_early(read_cuda_targets(targets), 90));
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
