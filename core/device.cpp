#include "core/device.h"

#include <unistd.h>

#include "core/error.h"

namespace tw {

void check_device(const DeviceApi& api, int result, const char* what, const std::string& expected) {
  if (result == 0) return;
  const ErrorCode code = result == api.out_of_memory ? ErrorCode::out_of_memory : ErrorCode::internal;
  throw Error(code, {.file = api.name, .field = what, .expected = expected, .found = api.describe(result)});
}

DeviceHandle device_handle(const DeviceApi& api, int ordinal) { return {&api, ordinal, static_cast<int>(getpid())}; }

DeviceScope::DeviceScope(const DeviceHandle& device) : device_(device) {
  if (const auto here = static_cast<int>(getpid()); here != device.process) {
    throw Error(
        ErrorCode::unsupported,
        {.file = device.api->name,
         .field = "process",
         .expected = std::to_string(device.process) + ", which opened the device",
         .found = std::to_string(here) + ", forked from it",
         .note = "a forked child cannot use its parent's device; load the model in the child, before the parent "
                 "uses the device, or start the child with spawn"});
  }
  check_device(*device.api, device.api->use(device.ordinal, &before_), "device");
}

DeviceScope::~DeviceScope() {
  if (before_ != device_.ordinal) device_.api->use(before_, nullptr);
}

DeviceRecording::~DeviceRecording() {
  if (recording_ != nullptr) api_->release_recording(recording_);
}

DeviceQueue::DeviceQueue(const DeviceApi& api) : api_(api) { check_device(api, api.create_stream(&stream_), "stream"); }

DeviceQueue::~DeviceQueue() { api_.destroy_stream(stream_); }

void DeviceQueue::copy(void* to, const void* from, int64_t bytes) {
  if (bytes > 0) check_device(api_, api_.copy(to, from, bytes, stream_), "copy");
}

void DeviceQueue::wait() { check_device(api_, api_.wait(stream_), "computation"); }

void DeviceQueue::follow(const DeviceQueue& earlier) {
  check_device(api_, api_.follow(stream_, earlier.stream_), "order of streams");
}

void DeviceQueue::launch(const DeviceRecording& recording) {
  check_device(api_, api_.launch(recording.get(), stream_), "recorded work");
}

DeviceRecording DeviceQueue::end_recording() noexcept {
  void* recording = nullptr;
  if (api_.end_recording(stream_, &recording) != 0) return {};
  return {api_, recording};
}

void DeviceQueue::wait_whatever_comes() noexcept { api_.wait(stream_); }

DeviceMark::DeviceMark(const DeviceApi& api) : api_(api) { check_device(api, api.create_mark(&mark_), "mark"); }

DeviceMark::~DeviceMark() {
  if (mark_ != nullptr) api_.destroy_mark(mark_);
}

void DeviceMark::set(void* stream) { check_device(api_, api_.set_mark(mark_, stream), "mark"); }

float DeviceMark::milliseconds_to(const DeviceMark& later) const {
  float milliseconds = 0;
  check_device(api_, api_.time_between(&milliseconds, mark_, later.mark_), "time");
  return milliseconds;
}

}  // namespace tw
