// Memory and streams of a device, behind a plain struct of functions, as threads are behind Executor: the library works
// with any that fills it in (CUDA: core/device_cuda.h), and tests with one that fails when they say.
#pragma once

#include <cstdint>
#include <utility>

namespace tw {

// Every function returns 0 or the device's own error code, and does nothing where it fails.
struct DeviceApi {
  const char* name;  // "cuda"
  int (*allocate)(void** memory, int64_t bytes);
  int (*release)(void* memory);
  // Host memory that the device reads and writes at the same address.
  int (*allocate_mapped)(void** memory, int64_t bytes);
  int (*release_mapped)(void* memory);
  int (*create_stream)(void** stream);
  int (*destroy_stream)(void* stream);
  // On a stream, between any two kinds of memory; mapped and device memory alone without waiting.
  int (*copy)(void* to, const void* from, int64_t bytes, void* stream);
  // Until all that was put on the stream is done; the first error of any of it.
  int (*wait)(void* stream);
  const char* (*describe)(int error);
  int out_of_memory;  // the code that means it
};

// Owns device memory. Move-only; not initialised. What is in it may be used by one stream at a time.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  // Throws out_of_memory naming `purpose` and the size, internal for another failure.
  DeviceBuffer(const DeviceApi& api, int64_t bytes, const char* purpose) : DeviceBuffer(api, bytes, purpose, false) {}
  // The host's, mapped for the device.
  static DeviceBuffer mapped(const DeviceApi& api, int64_t bytes, const char* purpose) {
    return DeviceBuffer(api, bytes, purpose, true);
  }
  ~DeviceBuffer();
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : api_(other.api_),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        mapped_(other.mapped_) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(api_, other.api_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
    return *this;
  }

  void* data() const { return data_; }
  int64_t size() const { return size_; }  // bytes

 private:
  DeviceBuffer(const DeviceApi& api, int64_t bytes, const char* purpose, bool mapped);

  const DeviceApi* api_ = nullptr;
  void* data_ = nullptr;
  int64_t size_ = 0;
  bool mapped_ = false;
};

// Owns a stream. One thread at a time.
class DeviceQueue {
 public:
  // Throws internal.
  explicit DeviceQueue(const DeviceApi& api);
  ~DeviceQueue();
  DeviceQueue(const DeviceQueue&) = delete;
  DeviceQueue& operator=(const DeviceQueue&) = delete;

  void* stream() const { return stream_; }
  // Throws internal with the device's words. After an error of a kernel every further call has it too.
  void copy(void* to, const void* from, int64_t bytes);
  void wait();

 private:
  const DeviceApi& api_;
  void* stream_ = nullptr;
};

}  // namespace tw
