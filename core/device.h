// Devices, behind a plain struct of functions, as threads are behind Executor: the library works with any that fills it
// in (CUDA: core/device_cuda.h), and tests with one of host memory that fails when they say. Memory: core/buffer.h.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

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
  // What is put on `stream` from now on begins when all that is on `earlier` now is done.
  int (*follow)(void* stream, void* earlier);
  // Until all that was put on the stream is done; the first error of any of it.
  int (*wait)(void* stream);
  // Work put on a stream between the two is not done but kept, in one piece, which can be launched again and again on
  // the memory that it named. A device that cannot has null for the first.
  int (*begin_recording)(void* stream);
  int (*end_recording)(void* stream, void** recording);
  int (*launch)(void* recording, void* stream);
  int (*release_recording)(void* recording);
  // Marks on a stream, and the milliseconds from one to the next of the same stream, once that has been waited for.
  int (*create_mark)(void** mark);
  int (*destroy_mark)(void* mark);
  int (*set_mark)(void* mark, void* stream);
  int (*time_between)(float* milliseconds, void* first, void* last);
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

// Owns work that a device has recorded (DeviceQueue::record), or nothing. Move-only.
class DeviceRecording {
 public:
  DeviceRecording() = default;
  DeviceRecording(const DeviceApi& api, void* recording) : api_(&api), recording_(recording) {}
  ~DeviceRecording();
  DeviceRecording(DeviceRecording&& other) noexcept { swap(other); }
  DeviceRecording& operator=(DeviceRecording&& other) noexcept { return swap(other), *this; }

  explicit operator bool() const { return recording_ != nullptr; }
  void* get() const { return recording_; }

 private:
  void swap(DeviceRecording& other) noexcept {
    std::swap(api_, other.api_);
    std::swap(recording_, other.recording_);
  }

  const DeviceApi* api_ = nullptr;
  void* recording_ = nullptr;
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
  void follow(const DeviceQueue& earlier);
  // What body() puts on the stream, which does not happen, as a recording; none where the device cannot or body()
  // returns false. Throws what body() throws.
  template <class Body>
  DeviceRecording record(Body body) {
    if (api_.begin_recording == nullptr || api_.begin_recording(stream_) != 0) return {};
    bool whole = false;
    try {
      whole = body();
    } catch (...) {
      end_recording();
      throw;
    }
    DeviceRecording recording = end_recording();
    return whole ? std::move(recording) : DeviceRecording();
  }
  void launch(const DeviceRecording& recording);
  // Where an error is on its way already.
  void wait_whatever_comes() noexcept;

 private:
  DeviceRecording end_recording() noexcept;

  const DeviceApi& api_;
  void* stream_ = nullptr;
};

// Owns a mark of the calling thread's device. Move-only.
class DeviceMark {
 public:
  // Everything throws internal.
  explicit DeviceMark(const DeviceApi& api);
  ~DeviceMark();
  DeviceMark(DeviceMark&& other) noexcept : api_(other.api_), mark_(std::exchange(other.mark_, nullptr)) {}
  DeviceMark& operator=(DeviceMark&&) = delete;

  void set(void* stream);
  // Both have been waited for.
  float milliseconds_to(const DeviceMark& later) const;

 private:
  const DeviceApi& api_;
  void* mark_ = nullptr;
};

}  // namespace tw
