#include "models/session_device.h"

#include <cstring>

namespace tw {

SessionDevice::SessionDevice(const Device& device, const Sizes& sizes) : device_(device) {
  const DeviceApi& api = *device.handle.api;
  const DeviceScope scope(device_.handle);
  scratch_ = Buffer::on_device(api, sizes.scratch, "session scratch");
  inputs_ = Buffer::on_device(api, sizes.inputs, "session inputs");
  staged_ = Buffer::mapped(api, sizes.inputs, "session staging");
  returned_ = Buffer::mapped(api, sizes.results, "session results");
  queue_.emplace(api);
}

void SessionDevice::bring(Tensor result, float* out) {
  const int64_t bytes = result.rows * result.columns * size_of(DType::f32);
  queue_->copy(returned_.data(), result.data, bytes);
  queue_->wait();
  std::memcpy(out, returned_.data(), static_cast<size_t>(bytes));
}

}  // namespace tw
