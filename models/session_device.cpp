#include "models/session_device.h"

namespace tw {

SessionDevice::SessionDevice(const Device& device, const Sizes& sizes, ProductChoices* products)
    : device_(device), products_(products) {
  const DeviceApi& api = *device.handle.api;
  const DeviceScope scope(device_.handle);
  scratch_ = Buffer::on_device(api, sizes.scratch, "session scratch");
  workspace_ = Buffer::on_device(api, sizes.workspace, "session workspace");
  for (Lane& lane : lanes_) {
    lane.inputs = Buffer::on_device(api, sizes.inputs, "session inputs");
    lane.staged = Buffer::mapped(api, sizes.inputs, "session staging");
    lane.returned = Buffer::mapped(api, sizes.results, "session results");
    lane.queue.emplace(api);
  }
}

SliceInputs SessionDevice::inputs() {
  Lane& lane = lanes_[next_];
  finish(lane);
  return {lane.staged.data(), lane.staged.size(), true};
}

Exec SessionDevice::exec(const Lane& lane) {
  return {.kernels = nullptr,
          .member = {0, 1},
          .front = nullptr,
          .scratch = nullptr,
          .device = device_.table,
          .stream = lane.queue->stream(),
          .products = {products_, workspace_.data(), true},
          .to_device = reinterpret_cast<intptr_t>(lane.inputs.data()) - reinterpret_cast<intptr_t>(lane.staged.data())};
}

void SessionDevice::finish(Lane& lane) {
  if (!lane.busy) return;
  lane.queue->wait();
  lane.busy = false;
  if (float* out = std::exchange(lane.out, nullptr))
    std::memcpy(out, lane.returned.data(), static_cast<size_t>(lane.out_bytes));
}

void SessionDevice::finish() {
  for (Lane& lane : lanes_) finish(lane);
}

void SessionDevice::abandon() noexcept {
  for (Lane& lane : lanes_) {
    if (lane.busy) lane.queue->wait_whatever_comes();
    lane.busy = false;
    lane.out = nullptr;
  }
  next_ = 0;
}

}  // namespace tw
