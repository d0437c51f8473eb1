// What a session has on a device.
#pragma once

#include <cstring>
#include <optional>
#include <utility>

#include "core/buffer.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "models/recorded_slices.h"
#include "models/slice_inputs.h"

namespace tw {

// Memory for activations, and two lanes that the slices of a call take in turn. A lane has a stream, pinned memory
// where the inputs of a slice are staged, the device's memory that a copy takes them to, and pinned memory for results
// on their way back. So while one slice is computed the next one's inputs are staged and copied; computing itself,
// which is all in the same activations, is one slice after the other.
class SessionDevice {
  static constexpr int kLanes = 2;

 public:
  struct Sizes {
    int64_t scratch = 0, inputs = 0, results = 0, workspace = 0;  // bytes

    int64_t total() const { return scratch + workspace + int64_t{kLanes} * (2 * inputs + results); }
  };

  // `products`: of the model, or null. Throws as DeviceScope, Buffer and DeviceQueue.
  SessionDevice(const Device& device, const Sizes& sizes, ProductChoices* products);

  Buffer& scratch() { return scratch_; }

  // Slices from the first to the last of one call. However it ends, nothing runs after it that reads or writes the
  // session's memory; the next call starts afresh. Everything throws what the device reports.
  class Call {
   public:
    explicit Call(SessionDevice& device) : device_(device), scope_(device.device_.handle) {}
    ~Call() { device_.abandon(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    // Until every result is where it was to come.
    void finish() { device_.finish(); }

   private:
    SessionDevice& device_;
    DeviceScope scope_;
  };

  // For the inputs of the next slice, which run() has to get. Waits for the slice before the last.
  SliceInputs inputs();
  // Puts a slice on its stream: takes its inputs to the device, runs before(ex) and then body(ex), which returns
  // whether it came to its end, and if so brings `result` (dense, f32) to `out` in the end. What body() puts on the
  // stream depends on `shape` alone, so that it can be recorded; before() does what depends on more.
  template <class Before, class Body>
  void run(const SliceInputs& in, SliceShape shape, Tensor result, float* out, Before before, Body body) {
    Lane& lane = lanes_[next_];
    shape.lane = next_;
    next_ = (next_ + 1) % kLanes;
    lane.busy = true;
    lane.queue->copy(lane.inputs.data(), lane.staged.data(), in.used());
    for (const Lane& other : lanes_)
      if (&other != &lane && other.busy) lane.queue->follow(*other.queue);
    Exec ex = exec(lane);
    before(ex);
    const int64_t bytes = result.rows * result.columns * size_of(DType::f32);
    bool whole = true;
    recorded_.run(*lane.queue, shape, [&](bool recorded) {
      ex.products.may_try = !recorded;
      whole = body(ex);
      if (whole) lane.queue->copy(lane.returned.data(), result.data, bytes);
      return whole;
    });
    if (whole) lane.out = out, lane.out_bytes = bytes;
  }
  // One body(ex) that reads and writes mapped memory alone.
  template <class Body>
  void run(Body body) {
    Call call(*this);
    Lane& lane = lanes_[0];
    lane.busy = true;
    Exec ex = exec(lane);
    ex.to_device = 0;
    body(ex);
    call.finish();
  }

 private:
  struct Lane {
    Buffer inputs;            // the device's
    Buffer staged, returned;  // the host's, pinned
    std::optional<DeviceQueue> queue;
    bool busy = false;     // there may be work on the queue
    float* out = nullptr;  // where `returned` is to come when that is done; null: nowhere
    int64_t out_bytes = 0;
  };
  Exec exec(const Lane& lane);
  void finish(Lane& lane);
  void finish();
  void abandon() noexcept;

  Device device_;
  ProductChoices* products_;
  Buffer scratch_, workspace_;  // the device's
  Lane lanes_[kLanes];
  int next_ = 0;  // the lane of the next slice
  RecordedSlices recorded_;
};

}  // namespace tw
