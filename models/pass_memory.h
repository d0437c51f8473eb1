// Arrays that a forward pass reads besides weights and scratch.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "core/buffer.h"

namespace tw {

// As operations see them: themselves, or where those run on a device copies in the host's memory that it reads too.
class PassMemory {
 public:
  // Null: no device. Throws as Buffer, where it copies.
  explicit PassMemory(const DeviceApi* device) : device_(device) {}

  template <class T>
  const T* visible(const T* array, int64_t count) {
    if (device_ == nullptr || array == nullptr || count == 0) return array;
    copies_.push_back(Buffer::mapped(*device_, count * static_cast<int64_t>(sizeof(T)), "inputs of a forward pass"));
    std::copy_n(array, count, copies_.back().as<T>());
    return copies_.back().as<T>();
  }
  template <class T>
  std::span<const T> visible(const std::vector<T>& array) {
    return {visible(array.data(), std::ssize(array)), array.size()};
  }

 private:
  const DeviceApi* device_;
  std::vector<Buffer> copies_;
};

}  // namespace tw
