// What a session has on a device.
#pragma once

#include <cstring>
#include <memory>
#include <optional>

#include "core/buffer.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "models/recorded_slices.h"
#include "models/slice_inputs.h"

namespace tw {

// Memory for activations; inputs of a slice, staged in pinned memory from where one copy takes them to the device;
// results on their way back; the stream on which all of that happens in order; and what was recorded of it.
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

  // One slice: takes its inputs to the device, runs body(ex), which returns whether it came to its end, and if so
  // brings `result` (dense, f32) to `out`. What is put on the stream depends on `shape` alone, so that it can be
  // recorded. Throws what the device reports, with nothing of the slice still running; the next slice starts afresh.
  template <class Body>
  void run(const SliceInputs& in, const SliceShape& shape, Tensor result, float* out, Body body) {
    const int64_t bytes = result.rows * result.columns * size_of(DType::f32);
    on_stream([&](Exec& ex) {
      ex.to_device = reinterpret_cast<intptr_t>(inputs_.data()) - reinterpret_cast<intptr_t>(staged_.data());
      bool whole = true;
      recorded_.run(*queue_, shape, [&] {
        queue_->copy(inputs_.data(), staged_.data(), in.used());
        whole = body(ex);
        if (whole) queue_->copy(returned_.data(), result.data, bytes);
        return whole;
      });
      queue_->wait();
      if (whole) std::memcpy(out, returned_.data(), static_cast<size_t>(bytes));
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

  Device device_;
  Buffer scratch_, inputs_;   // the device's
  Buffer staged_, returned_;  // the host's, pinned
  std::optional<DeviceQueue> queue_;
  RecordedSlices recorded_;
};

}  // namespace tw
