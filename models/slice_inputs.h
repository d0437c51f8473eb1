// What the operations of one slice of a batch read besides weights and activations.
#pragma once

#include <algorithm>
#include <span>

#include "core/arena.h"
#include "core/jobs.h"

namespace tw {

// Arrays one behind the other in memory that a session has for them. Where operations run on a device this is staging:
// one copy takes all of it there, so the caller's arrays are in it too.
class SliceInputs {
 public:
  SliceInputs(std::byte* memory, int64_t bytes, bool is_staging)
      : memory_(memory), arena_(memory, bytes), is_staging_(is_staging) {}

  // To be filled.
  template <class T>
  std::span<T> make(int64_t count) {
    return {static_cast<T*>(arena_.take_bytes(count * static_cast<int64_t>(sizeof(T)))), static_cast<size_t>(count)};
  }
  // An array of the caller's, which stays where it is or is staged.
  template <class T>
  const T* given(const T* array, int64_t count) {
    if (!is_staging_ || array == nullptr) return array;
    const std::span<T> copy = make<T>(count);
    std::copy_n(array, count, copy.data());
    return copy.data();
  }
  // The same of an array that may be large, which all threads then stage.
  const std::byte* given(const std::byte* array, int64_t bytes, Team& team) {
    constexpr int64_t kPart = int64_t{256} << 10;
    if (!is_staging_ || bytes <= kPart) return given(array, bytes);
    const std::span<std::byte> copy = make<std::byte>(bytes);
    run_jobs(team, ceil_div(bytes, kPart), [&](int64_t part, int) {
      const int64_t at = part * kPart;
      std::copy_n(array + at, std::min(kPart, bytes - at), copy.data() + at);
    });
    return copy.data();
  }
  // Where the next array will lie, for who learns its size while filling it.
  std::byte* next() const { return memory_ + arena_.used(); }
  int64_t used() const { return arena_.used(); }  // bytes

 private:
  std::byte* memory_;
  Arena arena_;
  bool is_staging_;
};

}  // namespace tw
