// Device memory and streams over a driver made of host memory, of which any call can be told to fail.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/error.h"

namespace tw::test {
namespace {

constexpr int kOutOfMemory = 2, kLost = 719;

// What the fake driver is asked. One at a time: its functions have no argument to find it by.
struct Driver {
  int fails_at = 0;  // the call, from 1, that returns `error`; 0: none
  int error = kLost;
  int calls = 0;
  std::set<void*> memory, mapped, streams;

  int next() { return ++calls == fails_at ? error : 0; }
};
Driver* driver = nullptr;

int allocate_in(std::set<void*>& owned, void** memory, int64_t bytes) {
  if (const int error = driver->next()) return error;
  *memory = std::malloc(static_cast<size_t>(bytes));
  owned.insert(*memory);
  return 0;
}
int release_from(std::set<void*>& owned, void* memory) {
  const int error = driver->next();
  CHECK(owned.erase(memory) == 1);  // once, by the function that belongs to it
  std::free(memory);
  return error;
}

const DeviceApi kFake = {
    .name = "fake",
    .allocate = [](void** memory, int64_t bytes) { return allocate_in(driver->memory, memory, bytes); },
    .release = [](void* memory) { return release_from(driver->memory, memory); },
    .allocate_mapped = [](void** memory, int64_t bytes) { return allocate_in(driver->mapped, memory, bytes); },
    .release_mapped = [](void* memory) { return release_from(driver->mapped, memory); },
    .create_stream = [](void** stream) { return allocate_in(driver->streams, stream, 1); },
    .destroy_stream = [](void* stream) { return release_from(driver->streams, stream); },
    .copy =
        [](void* to, const void* from, int64_t bytes, void* stream) {
          CHECK(driver->streams.count(stream) == 1);
          if (const int error = driver->next()) return error;
          std::memcpy(to, from, static_cast<size_t>(bytes));
          return 0;
        },
    .wait = [](void*) { return driver->next(); },
    .describe = [](int error) { return error == kOutOfMemory ? "out of memory" : "the device is lost"; },
    .out_of_memory = kOutOfMemory,
};

// What a session does: memory, a stream, a copy there and back.
std::vector<char> round_trip(const std::vector<char>& bytes) {
  const auto size = static_cast<int64_t>(bytes.size());
  DeviceBuffer memory(kFake, size, "weights");
  DeviceBuffer staging = DeviceBuffer::mapped(kFake, size, "staging");
  DeviceQueue queue(kFake);
  std::memcpy(staging.data(), bytes.data(), bytes.size());
  queue.copy(memory.data(), staging.data(), size);
  std::memset(staging.data(), 0, bytes.size());
  queue.copy(staging.data(), memory.data(), size);
  queue.wait();
  const auto* back = static_cast<const char*>(staging.data());
  return {back, back + size};
}

bool nothing_left(const Driver& d) { return d.memory.empty() && d.mapped.empty() && d.streams.empty(); }

}  // namespace

TEST_CASE("device: bytes go there and come back, and everything is given back") {
  Driver fake;
  driver = &fake;
  const std::vector<char> bytes = {1, 2, 3, 4, 5};
  CHECK(round_trip(bytes) == bytes);
  CHECK(nothing_left(fake));
}

TEST_CASE("device: whichever call fails, there is one error and nothing is left") {
  Driver counting;
  driver = &counting;
  round_trip({1, 2, 3});
  const int calls = counting.calls;
  REQUIRE(calls == 9);
  for (const int error : {kLost, kOutOfMemory}) {
    for (int n = 1; n <= calls; ++n) {
      Driver fake;
      fake.fails_at = n;
      fake.error = error;
      driver = &fake;
      bool thrown = false;
      try {
        round_trip({1, 2, 3});
      } catch (const Error& e) {
        thrown = true;
        CHECK(e.code() == (error == kOutOfMemory ? ErrorCode::out_of_memory : ErrorCode::internal));
        CHECK(e.detail().file == "fake");
        CHECK(e.detail().found == kFake.describe(error));
      }
      CAPTURE(n);
      CHECK(thrown == (n <= 6));  // the last three give back, which a lost device may refuse
      CHECK(nothing_left(fake));
    }
  }
}

TEST_CASE("device: buffers move, and name what they were for") {
  Driver fake;
  driver = &fake;
  {
    DeviceBuffer a(kFake, 8, "a"), b;
    void* data = a.data();
    b = std::move(a);
    CHECK(b.data() == data);
    CHECK(b.size() == 8);
    const DeviceBuffer c(std::move(b));
    CHECK(c.data() == data);
    CHECK(fake.memory.size() == 1);
    CHECK(DeviceBuffer(kFake, 0, "nothing").data() == nullptr);
  }
  CHECK(nothing_left(fake));
  fake.error = kOutOfMemory;
  fake.fails_at = fake.calls + 1;
  CHECK_THROWS_WITH(DeviceBuffer(kFake, 1000, "weights"),
                    Catch::Matchers::Contains("weights") && Catch::Matchers::Contains("1000 bytes"));
  CHECK_THROWS_WITH(DeviceBuffer(kFake, -1, "weights"), Catch::Matchers::Contains("-1 bytes"));
}

}  // namespace tw::test
