// Owned memory, aligned to a cache line: the host's, or a device's. The only owner of memory for weights and
// activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace tw {

constexpr size_t kAlignment = 64;  // bytes: one cache line, one 512-bit vector

struct DeviceApi;

// Move-only. The host's memory is zero-initialised; large buffers ask for huge pages. Not synchronised: share it
// read-only. Throws out_of_memory naming `purpose` and the size, internal for another failure of a device.
class Buffer {
 public:
  Buffer() = default;
  Buffer(int64_t bytes, const char* purpose);
  // Memory of the calling thread's device, not initialised: addresses for its kernels and copies, not for the host.
  static Buffer on_device(const DeviceApi& api, int64_t bytes, const char* purpose);
  // The host's, pinned, which devices read and write at the same address; not initialised.
  static Buffer mapped(const DeviceApi& api, int64_t bytes, const char* purpose);
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        api_(other.api_),
        mapped_(other.mapped_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(api_, other.api_);
    std::swap(mapped_, other.mapped_);
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
  Buffer(const DeviceApi& api, int64_t bytes, const char* purpose, bool mapped);

  std::byte* data_ = nullptr;
  int64_t size_ = 0;
  const DeviceApi* api_ = nullptr;  // that it is given back to; null: the host's
  bool mapped_ = false;
};

}  // namespace tw
