// The self-test through the C interface. That it notices broken kernels is proven in tests/kernels/test_check.cpp.
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "tests/api/fixtures.h"

TEST_CASE("the self-test checks every operation of every set of kernels that this CPU runs") {
  const tuwen::Selftest all(3);
  std::set<std::string> kernels, operations;
  for (size_t i = 0; i < all.size(); ++i) {
    const tuwen_selftest_result r = all.at(i);
    CAPTURE(r.isa, r.operation, r.detail);
    CHECK(r.passed == 1);
    CHECK(r.worst <= 1);
    CHECK(std::string(r.detail).empty());
    kernels.insert(r.isa);
    operations.insert(r.operation);
  }
  CHECK(all.size() == kernels.size() * operations.size());
  CHECK(kernels.count(tuwen::system_info().isa) == 1);
  CHECK(operations.count("attention") == 1);

  const tuwen::Selftest one(3, "reference");
  CHECK(one.size() == operations.size());
}

TEST_CASE("wrong arguments of the self-test are errors") {
  tuwen_selftest* test = nullptr;
  CHECK(tuwen_selftest_run("sse9", 1, &test) == TUWEN_UNSUPPORTED);
  CHECK(std::string(tuwen_last_error()->message).find("sse9") != std::string::npos);
  CHECK(test == nullptr);
  CHECK(tuwen_selftest_run("reference", 1, nullptr) == TUWEN_INVALID_ARGUMENT);
  const tuwen::Selftest one(1, "reference");
  CHECK_THROWS_AS(one.at(one.size()), tuwen::Error);
  CHECK(tuwen_selftest_count(nullptr) == 0);
  tuwen_selftest_free(nullptr);
}
