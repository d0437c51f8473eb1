// Owned host memory, aligned to a cache line. The only owner of memory for weights and activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace tw {

constexpr size_t kAlignment = 64;  // bytes: one cache line, one 512-bit vector

// Move-only. The memory is zero-initialised; large buffers ask for huge pages. Not synchronised: share it read-only.
class Buffer {
 public:
  Buffer() = default;
  // Throws out_of_memory naming `purpose` and the size.
  Buffer(int64_t bytes, const char* purpose);
  ~Buffer();
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }
  int64_t size() const { return size_; }  // bytes

 private:
  std::byte* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace tw
