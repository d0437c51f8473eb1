// Devices, behind a plain struct of functions, as threads are behind Executor: the library works with any that fills it
// in (CUDA: core/device_cuda.h), and tests with one of host memory that fails when they say. Memory: core/buffer.h.
#pragma once

#include <cstdint>
#include <string>

namespace tw {

// Every function returns 0 or the device's own error code, and does nothing where it fails.
struct DeviceApi {
  const char* name;  // "cuda"
  // Makes device `ordinal` the calling thread's, and forgets errors that were left unasked for. `before` (null: not
  // wanted) gets the one it was.
  int (*use)(int ordinal, int* before);
  // Memory of the calling thread's device.
  int (*allocate)(void** memory, int64_t bytes);
  int (*release)(void* memory);
  // Host memory that devices read and write at the same address.
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

// Throws if `result` is an error: out_of_memory, or internal with the device's words.
void check_device(const DeviceApi& api, int result, const char* what, const std::string& expected = {});

// One device, as a process opened it.
struct DeviceHandle {
  const DeviceApi* api = nullptr;  // null: no device
  int ordinal = 0;
  int process = 0;

  bool operator==(const DeviceHandle&) const = default;
};
// Of the calling process.
DeviceHandle device_handle(const DeviceApi& api, int ordinal);

// Makes a device the calling thread's, and at its end the one that was before.
class DeviceScope {
 public:
  // Throws unsupported in a forked child of the process that opened the device, internal if the device refuses.
  explicit DeviceScope(const DeviceHandle& device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  const DeviceHandle& device_;
  int before_ = 0;
};

// Owns a stream of the calling thread's device. One thread at a time.
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
  // Where an error is on its way already.
  void wait_whatever_comes() noexcept;

 private:
  const DeviceApi& api_;
  void* stream_ = nullptr;
};

}  // namespace tw
