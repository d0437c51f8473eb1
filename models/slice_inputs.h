// What the operations of one slice of a batch read besides weights and activations.
#pragma once

#include <algorithm>
#include <span>

#include "core/arena.h"

namespace tw {

// Arrays one behind the other in memory that a session has for them. Where operations run on a device this is staging:
// one copy takes all of it there, so the caller's arrays are in it too.
class SliceInputs {
 public:
  SliceInputs(std::byte* memory, int64_t bytes, bool is_staging) : arena_(memory, bytes), is_staging_(is_staging) {}

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
  int64_t used() const { return arena_.used(); }  // bytes

 private:
  Arena arena_;
  bool is_staging_;
};

}  // namespace tw
