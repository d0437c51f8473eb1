// A device of host memory, of which any call can be told to fail.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <set>

#include "core/device.h"

namespace tw::test {

inline constexpr int kOutOfMemory = 2, kLost = 719;

// What the fake driver is asked. One at a time: its functions have no argument to find it by.
struct Driver {
  int fails_at = 0;  // the call, from 1, that returns `error`; 0: none
  int error = kLost;
  int calls = 0;
  int current = 0;  // device of the thread
  std::set<void*> memory, mapped, streams;

  int next() { return ++calls == fails_at ? error : 0; }
  bool nothing_left() const { return memory.empty() && mapped.empty() && streams.empty(); }
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
          std::memcpy(to, from, static_cast<size_t>(bytes));
          return 0;
        },
    .wait = [](void*) { return driver->next(); },
    .describe = [](int error) { return error == kOutOfMemory ? "out of memory" : "the device is lost"; },
    .out_of_memory = kOutOfMemory,
};

}  // namespace tw::test
