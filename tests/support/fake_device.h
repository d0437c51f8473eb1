// A device of host memory, of which any call can be told to fail.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "core/device.h"

namespace tw::test {

inline constexpr int kOutOfMemory = 2, kLost = 719;

using Recorded = std::vector<std::function<void()>>;

// What the fake driver is asked. One at a time: its functions have no argument to find it by.
struct Driver {
  int fails_at = 0;  // the call, from 1, that returns `error`; 0: none
  int error = kLost;
  int calls = 0;
  int current = 0;  // device of the thread
  std::set<void*> memory, mapped, streams, recordings;
  Recorded* recording = nullptr;                  // of copies now
  void (*keep_kernels)(Recorded*) = [](auto) {};  // where there are any
  int launches = 0;                               // of recordings

  int next() { return ++calls == fails_at ? error : 0; }
  bool nothing_left() const { return memory.empty() && mapped.empty() && streams.empty() && recordings.empty(); }
};
inline Driver* driver = nullptr;

inline int allocate_in(std::set<void*>& owned, void** memory, int64_t bytes) {
  if (const int error = driver->next()) return error;
  constexpr size_t kAligned = 256;  // as cudaMalloc does
  const size_t size = (static_cast<size_t>(bytes) + kAligned - 1) / kAligned * kAligned;
  *memory = std::aligned_alloc(kAligned, size);
  std::memset(*memory, 0xff, size);  // NaN to whoever reads it
  owned.insert(*memory);
  return 0;
}
inline int release_from(std::set<void*>& owned, void* memory) {
  const int error = driver->next();
  CHECK(owned.erase(memory) == 1);  // once, by the function that belongs to it
  std::free(memory);
  return error;
}

inline const DeviceApi kFake = {
    .name = "fake",
    .use =
        [](int ordinal, int* before) {
          if (const int error = driver->next()) return error;
          if (before != nullptr) *before = driver->current;
          driver->current = ordinal;
          return 0;
        },
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
          const auto copy = [=] { std::memcpy(to, from, static_cast<size_t>(bytes)); };
          driver->recording != nullptr ? driver->recording->push_back(copy) : copy();
          return 0;
        },
    .wait =
        [](void*) {
          CHECK(driver->recording == nullptr);
          return driver->next();
        },
    .begin_recording =
        [](void* stream) {
          CHECK(driver->streams.count(stream) == 1);
          CHECK(driver->recording == nullptr);
          if (const int error = driver->next()) return error;
          driver->recording = new Recorded;
          driver->keep_kernels(driver->recording);
          return 0;
        },
    .end_recording =
        [](void*, void** recording) {
          Recorded* done = std::exchange(driver->recording, nullptr);
          driver->keep_kernels(nullptr);
          if (const int error = driver->next()) return delete done, error;
          driver->recordings.insert(done);
          *recording = done;
          return 0;
        },
    .launch =
        [](void* recording, void* stream) {
          CHECK(driver->streams.count(stream) == 1);
          CHECK(driver->recordings.count(recording) == 1);
          if (const int error = driver->next()) return error;
          ++driver->launches;
          for (const auto& work : *static_cast<Recorded*>(recording)) work();
          return 0;
        },
    .release_recording =
        [](void* recording) {
          const int error = driver->next();
          CHECK(driver->recordings.erase(recording) == 1);
          delete static_cast<Recorded*>(recording);
          return error;
        },
    .describe = [](int error) { return error == kOutOfMemory ? "out of memory" : "the device is lost"; },
    .out_of_memory = kOutOfMemory,
};

}  // namespace tw::test
