// A device of host memory, of which any call can be told to fail.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "core/device.h"

namespace tw::test {

inline constexpr int kOutOfMemory = 2, kLost = 719;

// What was put on a stream and is not done.
struct FakeStream {
  struct Work {
    std::function<void()> run;
    void* earlier = nullptr;  // the stream that has to have done `pieces` before
    int64_t pieces = 0;
    bool kernel = false;
    // Of a kernel that may begin before the one in front of it has run: does, and returns what is left of it.
    std::function<std::function<void()>()> begin = {};
  };
  void* stream;
  std::deque<Work> waiting = {};
  int64_t put = 0, done = 0;  // pieces of work
};
using Recorded = std::vector<FakeStream::Work>;

// What the fake driver is asked. One at a time: its functions have no argument to find it by.
//
// Work waits on its stream until somebody waits for that, and then all streams take turns, a piece each, as far as what
// they have to follow permits: whoever needs another order and did not ask for it finds out. A kernel that may begin
// early does so just before the one in front of it runs; not where a copy, another stream or the edge of a recording is
// in front.
struct Driver {
  int fails_at = 0;  // the call, from 1, that returns `error`; 0: none
  int error = kLost;
  int calls = 0;
  int current = 0;  // device of the thread
  std::set<void*> memory, mapped, streams, recordings, marks;
  std::vector<FakeStream> work;  // of `streams`
  Recorded* recording = nullptr;
  void* recorded_stream = nullptr;
  int launches = 0;  // of recordings
  int follows = 0;
  int kernels = 0, early = 0;  // that have run, and of these such as began early
  bool kernels_copy = false;   // what is copied to a stream waits there as one kernel
  double milliseconds = 0;     // that work has taken, as far as it says so

  int next() { return ++calls == fails_at ? error : 0; }
  bool nothing_left() const {
    return memory.empty() && mapped.empty() && streams.empty() && recordings.empty() && marks.empty();
  }

  FakeStream& of(void* stream) {
    const auto found = std::find_if(work.begin(), work.end(), [=](const FakeStream& s) { return s.stream == stream; });
    REQUIRE(found != work.end());
    return *found;
  }
  void put(void* stream, FakeStream::Work piece) {
    if (recording != nullptr && stream == recorded_stream) return recording->push_back(std::move(piece));
    put_work(stream, std::move(piece));
  }
  void put_copy(void* stream, std::function<void()> copy) {
    std::deque<FakeStream::Work>& waiting = of(stream).waiting;
    if (!kernels_copy || waiting.empty() || waiting.back().begin)
      return put(stream, {.run = std::move(copy), .kernel = kernels_copy});
    waiting.back().run = [first = std::move(waiting.back().run), second = std::move(copy)] {
      first();
      second();
    };
  }
  void put_work(void* stream, FakeStream::Work piece) {
    FakeStream& s = of(stream);
    s.waiting.push_back(std::move(piece));
    ++s.put;
  }
  void begin_early(FakeStream::Work& kernel) {
    if (!kernel.begin) return;
    ++early;
    kernel.run = kernel.begin();
  }
  void finish(void* stream) {
    while (!of(stream).waiting.empty()) {
      bool moved = false;
      for (FakeStream& s : work) {
        if (s.waiting.empty()) continue;
        const FakeStream::Work& first = s.waiting.front();
        if (first.earlier != nullptr && of(first.earlier).done < first.pieces) continue;
        const FakeStream::Work now = std::move(s.waiting.front());
        s.waiting.pop_front();
        ++s.done;
        moved = true;
        if (now.kernel) ++kernels;
        if (now.kernel && !s.waiting.empty()) begin_early(s.waiting.front());
        if (now.run) now.run();
      }
      REQUIRE(moved);
    }
  }
};
inline Driver* driver = nullptr;

inline int allocate_in(std::set<void*>& owned, void** memory, int64_t bytes) {
  if (const int error = driver->next()) return error;
  constexpr size_t kAligned = 256;  // as cudaMalloc does
  const size_t size = (static_cast<size_t>(bytes) + kAligned - 1) / kAligned * kAligned;
  *memory = std::aligned_alloc(kAligned, size);
  // NaN to whoever reads it; of much memory the ends, which is where sizes go wrong.
  constexpr size_t kMuch = size_t{4} << 20, kEnd = size_t{1} << 20;
  std::memset(*memory, 0xff, size > kMuch ? kEnd : size);
  if (size > kMuch) std::memset(static_cast<char*>(*memory) + size - kEnd, 0xff, kEnd);
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
    .create_stream =
        [](void** stream) {
          if (const int error = allocate_in(driver->streams, stream, 1)) return error;
          driver->work.push_back({*stream});
          return 0;
        },
    .destroy_stream =
        [](void* stream) {
          CHECK(driver->of(stream).waiting.empty());
          std::erase_if(driver->work, [=](const FakeStream& s) { return s.stream == stream; });
          return release_from(driver->streams, stream);
        },
    .copy =
        [](void* to, const void* from, int64_t bytes, void* stream) {
          CHECK(driver->streams.count(stream) == 1);
          if (const int error = driver->next()) return error;
          driver->put_copy(stream, [=] { std::memcpy(to, from, static_cast<size_t>(bytes)); });
          return 0;
        },
    .follow =
        [](void* stream, void* earlier) {
          CHECK(driver->recording == nullptr);
          if (const int error = driver->next()) return error;
          ++driver->follows;
          driver->put_work(stream, {{}, earlier, driver->of(earlier).put});
          return 0;
        },
    .wait =
        [](void* stream) {
          CHECK(driver->recording == nullptr);
          const int error = driver->next();
          driver->finish(stream);  // after an error too
          return error;
        },
    .begin_recording =
        [](void* stream) {
          CHECK(driver->streams.count(stream) == 1);
          CHECK(driver->recording == nullptr);
          if (const int error = driver->next()) return error;
          driver->recording = new Recorded;
          driver->recorded_stream = stream;
          return 0;
        },
    .end_recording =
        [](void*, void** recording) {
          Recorded* done = std::exchange(driver->recording, nullptr);
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
          bool first = true;
          for (FakeStream::Work piece : *static_cast<Recorded*>(recording)) {
            if (std::exchange(first, false)) piece.begin = nullptr;
            driver->put_work(stream, std::move(piece));
          }
          return 0;
        },
    .release_recording =
        [](void* recording) {
          const int error = driver->next();
          CHECK(driver->recordings.erase(recording) == 1);
          delete static_cast<Recorded*>(recording);
          return error;
        },
    .create_mark = [](void** mark) { return allocate_in(driver->marks, mark, sizeof(double)); },
    .destroy_mark = [](void* mark) { return release_from(driver->marks, mark); },
    .set_mark =
        [](void* mark, void* stream) {
          CHECK(driver->marks.count(mark) == 1);
          CHECK(driver->recording == nullptr);
          if (const int error = driver->next()) return error;
          driver->put(stream, {.run = [=] { *static_cast<double*>(mark) = driver->milliseconds; }});
          return 0;
        },
    .time_between =
        [](float* milliseconds, void* first, void* last) {
          if (const int error = driver->next()) return error;
          *milliseconds = static_cast<float>(*static_cast<double*>(last) - *static_cast<double*>(first));
          return 0;
        },
    .describe = [](int error) { return error == kOutOfMemory ? "out of memory" : "the device is lost"; },
    .out_of_memory = kOutOfMemory,
};

}  // namespace tw::test
