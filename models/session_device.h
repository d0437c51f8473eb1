// What a session has on a device.
#pragma once

#include <memory>
#include <optional>

#include "core/buffer.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "models/slice_inputs.h"

namespace tw {

// Memory for activations; inputs of a slice, staged in pinned memory from where one copy takes them to the device;
// results on their way back; and the stream on which all of that happens in order.
class SessionDevice {
 public:
  struct Sizes {
    int64_t scratch = 0, inputs = 0, results = 0;  // bytes

    int64_t total() const { return scratch + 2 * inputs + results; }
  };

  // Throws as DeviceScope, Buffer and DeviceQueue.
  SessionDevice(const Device& device, const Sizes& sizes);

  Buffer& scratch() { return scratch_; }
  SliceInputs inputs() { return {staged_.data(), staged_.size(), true}; }

  // One slice: takes its inputs to the device, runs body(ex) there and brings `result` (dense, f32) to `out`. Throws
  // what the device reports, with nothing of the slice still running; the next slice starts afresh.
  template <class Body>
  void run(const SliceInputs& in, Tensor result, float* out, Body body) {
    on_stream([&](Exec& ex) {
      queue_->copy(inputs_.data(), staged_.data(), in.used());
      ex.to_device = reinterpret_cast<intptr_t>(inputs_.data()) - reinterpret_cast<intptr_t>(staged_.data());
      body(ex);
      bring(result, out);
    });
  }
  // The same of what reads and writes mapped memory alone.
  template <class Body>
  void run(Body body) {
    on_stream([&](Exec& ex) {
      body(ex);
      queue_->wait();
    });
  }

 private:
  // What is on the stream reads and writes this session's memory: however a slice ends, that has to end first.
  struct Running {
    explicit Running(DeviceQueue& q) : queue(q) {}
    ~Running() { queue.wait_whatever_comes(); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    DeviceQueue& queue;
  };
  template <class Body>
  void on_stream(Body body) {
    const DeviceScope scope(device_.handle);
    const Running running(*queue_);
    Exec ex{.kernels = nullptr,
            .member = {0, 1},
            .front = nullptr,
            .scratch = nullptr,
            .device = device_.table,
            .stream = queue_->stream()};
    body(ex);
  }
  void bring(Tensor result, float* out);

  Device device_;
  Buffer scratch_, inputs_;   // the device's
  Buffer staged_, returned_;  // the host's, pinned
  std::optional<DeviceQueue> queue_;
};

}  // namespace tw
