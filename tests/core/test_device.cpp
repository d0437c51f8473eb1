// Device memory and streams over a driver made of host memory, of which any call can be told to fail.
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"
#include "tests/support/fake_device.h"

namespace tw::test {
namespace {

// What a session does: memory, a stream, a copy there and back.
std::vector<char> round_trip(const std::vector<char>& bytes) {
  const auto size = static_cast<int64_t>(bytes.size());
  const DeviceHandle device = device_handle(kFake, 1);
  const DeviceScope scope(device);
  Buffer memory = Buffer::on_device(kFake, size, "weights");
  Buffer staging = Buffer::mapped(kFake, size, "staging");
  DeviceQueue queue(kFake);
  std::memcpy(staging.data(), bytes.data(), bytes.size());
  queue.copy(memory.data(), staging.data(), size);
  queue.wait();
  std::memset(staging.data(), 0, bytes.size());
  queue.copy(staging.data(), memory.data(), size);
  queue.wait();
  return {staging.as<char>(), staging.as<char>() + size};
}

}  // namespace

TEST_CASE("device: bytes go there and come back, and everything is given back") {
  Driver fake;
  driver = &fake;
  const std::vector<char> bytes = {1, 2, 3, 4, 5};
  CHECK(round_trip(bytes) == bytes);
  CHECK(fake.nothing_left());
}

TEST_CASE("device: whichever call fails, there is one error and nothing is left") {
  Driver counting;
  driver = &counting;
  round_trip({1, 2, 3});
  const int calls = counting.calls;
  REQUIRE(calls == 12);
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
      CHECK(thrown == (n <= 8));  // the last four give back, which a lost device may refuse
      CHECK(fake.current == (n == calls ? 1 : 0));
      CHECK(fake.nothing_left());
    }
  }
}

TEST_CASE("device: buffers move, and name what they were for") {
  Driver fake;
  driver = &fake;
  {
    Buffer a = Buffer::on_device(kFake, 8, "a"), b;
    void* data = a.data();
    b = std::move(a);
    CHECK(b.data() == data);
    CHECK(b.size() == 8);
    Buffer c(std::move(b));
    CHECK(c.data() == data);
    CHECK(fake.memory.size() == 1);
    CHECK(Buffer::on_device(kFake, 0, "nothing").data() == nullptr);
    c = Buffer(16, "of the host");
    CHECK(fake.memory.empty());
  }
  CHECK(fake.nothing_left());
  fake.error = kOutOfMemory;
  fake.fails_at = fake.calls + 1;
  CHECK_THROWS_WITH(Buffer::on_device(kFake, 1000, "weights"),
                    Catch::Matchers::Contains("weights") && Catch::Matchers::Contains("1000 bytes"));
  CHECK_THROWS_WITH(Buffer::on_device(kFake, -1, "weights"), Catch::Matchers::Contains("-1 bytes"));
}

TEST_CASE("device: a forked child is told so, and its parent goes on") {
  Driver fake;
  driver = &fake;
  const DeviceHandle device = device_handle(kFake, 0);
  const pid_t child = fork();
  if (child == 0) {
    bool told = false;
    try {
      const DeviceScope scope(device);
    } catch (const Error& e) {
      told = e.code() == ErrorCode::unsupported && std::string(e.what()).find("forked") != std::string::npos;
    }
    _exit(told && fake.calls == 0 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  const DeviceScope scope(device);
}

}  // namespace tw::test
