// Inputs of a slice: the caller's arrays where they lie, or staged, large ones by all threads.
#include "models/slice_inputs.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <vector>

#include "core/buffer.h"

namespace tw::test {

TEST_CASE("slice inputs: an array is staged byte for byte by one thread or several, or stays where it is") {
  ThreadPool pool(3);
  Team team(pool.executor(), pool.size());
  for (const int64_t bytes : {0, 1, 256 << 10, (256 << 10) + 1, 3 * (256 << 10), 1000003}) {
    CAPTURE(bytes);
    std::vector<std::byte> given(static_cast<size_t>(bytes));
    for (size_t i = 0; i < given.size(); ++i) given[i] = static_cast<std::byte>(i * i / 7);
    Buffer memory(bytes + 200, "staging");
    SliceInputs staging(memory.data(), memory.size(), true), not_staging(memory.data(), memory.size(), false);
    const std::byte* copy = staging.given(given.data(), bytes, team);
    CHECK(std::equal(given.begin(), given.end(), copy));
    CHECK((bytes == 0 || copy != given.data()));
    CHECK(staging.used() >= bytes);
    CHECK(not_staging.given(given.data(), bytes, team) == given.data());
    CHECK(not_staging.used() == 0);
  }
}

}  // namespace tw::test
