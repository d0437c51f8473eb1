// How test_gpu lets operations work on copies in a card's memory (staged.h), over a fake driver's: every copy covers
// what the operation reads and writes, and what goes wrong there is noticed.
#include <catch2/catch.hpp>
#include <vector>

#include "kernels/check/check.h"
#include "tests/cuda/fake_cuda.h"
#include "tests/cuda/kernels_under_test.h"
#include "tests/cuda/shim.h"
#include "tests/cuda/staged.h"
#include "tests/cuda/under_test.h"

namespace tw::test {
namespace {

// A card as far as single operations know.
class Copies {
 public:
  Copies() {
    driver = &fake;
    set_memory_under_test(fake_device().handle);
  }
  ~Copies() { set_memory_under_test({}); }

  Driver fake;
};

auto says(const std::string& text) { return Catch::Matchers::Contains(text); }

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("staged: every entry of the table is within its contract on copies, and nothing is left of them") {
  Copies card;
  for (const CheckResult& result : check_table(kernels_under_test(), 3)) {
    INFO(result.name << ": " << result.detail);
    CHECK(result.passed);
  }
  CHECK(card.fake.calls > 1000);
  CHECK(card.fake.nothing_left());
}

TEST_CASE("staged: copies lie as the originals do, results come back, inputs do not") {
  Copies card;
  std::vector<float> x = {1, 2, 3, 4}, y = {5, 6, 7};
  Staged s("nothing");
  const float* there = s.in(x.data() + 1, 3);
  float* result = s.out(y.data(), 2);
  CHECK(there != x.data() + 1);
  CHECK(reinterpret_cast<uintptr_t>(there) % 256 == reinterpret_cast<uintptr_t>(x.data() + 1) % 256);
  CHECK(std::vector(there, there + 3) == std::vector<float>{2, 3, 4});
  CHECK(std::isnan(there[-1]));
  CHECK(std::isnan(there[3]));
  CHECK(s.in(static_cast<float*>(nullptr), 3) == nullptr);
  result[1] = 9;
  s.finish();
  CHECK(y == std::vector<float>{5, 9, 7});
}

TEST_CASE("staged: what is written beside an array or into an input is named, and so is what the device reports") {
  Copies card;
  std::vector<float> x = {1, 2, 3};
  CHECK_THAT(message_of([&] {
               Staged s("culprit");
               s.out(x.data(), 3)[3] = 0;
               s.finish();
             }),
             says("culprit wrote beside"));
  CHECK_THAT(message_of([&] {
               Staged s("culprit");
               s.out(x.data(), 3)[-1] = 0;
               s.finish();
             }),
             says("culprit wrote beside"));
  CHECK_THAT(message_of([&] {
               Staged s("culprit");
               const_cast<float*>(s.in(x.data(), 3))[1] = 0;
               s.finish();
             }),
             says("culprit wrote into"));
  CHECK_THAT(message_of([&] {
               Staged s("culprit");
               s.in(x.data(), 3);
               card.fake.fails_at = card.fake.calls + 1;
               s.finish();
             }),
             says("culprit") && says("the device is lost"));
  CHECK(card.fake.nothing_left());
}

TEST_CASE("staged: without a device arrays are used where they lie") {
  std::vector<float> x(3);
  Staged s("nothing");
  CHECK(s.in(x.data(), 3) == x.data());
  CHECK(s.out(x.data(), 3) == x.data());
  CHECK(s.stream().stream == nullptr);
  s.finish();
}

}  // namespace tw::test
