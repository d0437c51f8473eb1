// Forward passes over a fake driver (fake_cuda.h) that fails.
#include <optional>

#include "core/error.h"
#include "tests/cuda/fake_cuda.h"
#include "tests/cuda/forward_cases.h"

namespace tw::test {

TEST_CASE("cuda forward: whichever call of the driver fails, nothing leaks, and results outlive the session") {
  Driver counting;
  driver = &counting;
  const auto model = random_model(kDecoder);
  Random random(8);
  const DecoderCall call(random);
  std::optional<Outputs> expected;
  int calls = 0;
  {
    Session session(model, {.device = fake_device()});
    const int before = counting.calls;
    expected = session.forward(call.text);
    calls = counting.calls - before;
  }
  CHECK(counting.mapped.size() == expected->arrays().size());
  for (int n = 1; n <= calls; ++n) {
    CAPTURE(n);
    Session session(model, {.device = fake_device()});
    const size_t memory = counting.memory.size(), mapped = counting.mapped.size();
    counting.fails_at = counting.calls + n;
    try {
      check_same(session.forward(call.text), *expected, 17);
    } catch (const Error& e) {
      REQUIRE(e.detail().file == "fake");
    }
    counting.fails_at = 0;
    REQUIRE(counting.memory.size() <= memory + 1);  // the session keeps the pass's scratch
    REQUIRE(counting.mapped.size() == mapped);
    if (n % 8 == 0) check_same(session.forward(call.text), *expected, 17);
  }
  expected.reset();
  CHECK(counting.mapped.empty());
}

}  // namespace tw::test
