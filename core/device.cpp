#include "core/device.h"

#include <string>

#include "core/error.h"

namespace tw {
namespace {

void check(const DeviceApi& api, int result, const char* what, const std::string& expected = {}) {
  if (result == 0) return;
  const ErrorCode code = result == api.out_of_memory ? ErrorCode::out_of_memory : ErrorCode::internal;
  throw Error(code, {.file = api.name, .field = what, .expected = expected, .found = api.describe(result)});
}

}  // namespace

DeviceBuffer::DeviceBuffer(const DeviceApi& api, int64_t bytes, const char* purpose, bool mapped)
    : api_(&api), mapped_(mapped) {
  if (bytes == 0) return;
  const std::string wanted = std::to_string(bytes) + " bytes";
  if (bytes < 0) throw Error(ErrorCode::invalid_argument, {.field = purpose, .expected = "a size", .found = wanted});
  check(api, (mapped ? api.allocate_mapped : api.allocate)(&data_, bytes), purpose, wanted);
  size_ = bytes;
}

// A device that is lost refuses this too: then its memory is gone anyway.
DeviceBuffer::~DeviceBuffer() {
  if (data_ != nullptr) (mapped_ ? api_->release_mapped : api_->release)(data_);
}

DeviceQueue::DeviceQueue(const DeviceApi& api) : api_(api) { check(api, api.create_stream(&stream_), "stream"); }

DeviceQueue::~DeviceQueue() { api_.destroy_stream(stream_); }

void DeviceQueue::copy(void* to, const void* from, int64_t bytes) {
  if (bytes > 0) check(api_, api_.copy(to, from, bytes, stream_), "copy");
}

void DeviceQueue::wait() { check(api_, api_.wait(stream_), "stream"); }

}  // namespace tw
