#include "models/session_device.h"

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

}  // namespace tw
