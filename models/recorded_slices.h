// What a session has recorded of its slices on a device, so that a slice of a known shape is one launch.
#pragma once

#include <cstdint>
#include <vector>

#include "core/device.h"

namespace tw {

// All that the work of a slice depends on besides the contents of memory that stays where it is.
struct SliceShape {
  enum class Inputs { texts, values, bytes, pictures };
  Inputs inputs;
  bool normalize;   // the result
  int64_t items;    // images or texts
  int64_t tokens;   // of all
  int64_t longest;  // tokens of an item
  int lane = 0;     // of SessionDevice

  bool operator==(const SliceShape&) const = default;
};

// The first slice of a shape is put on the stream as it comes; the second is recorded too, and that recording serves
// all later ones. Texts of mixed lengths hardly ever have a shape twice, so shapes that have not been used for longest
// are forgotten.
class RecordedSlices {
 public:
  static constexpr size_t kMost = 64;

  RecordedSlices();

  // Does on `queue` what body(recorded) puts there, which returns false if that is not all of it; `recorded`: that does
  // not happen yet. Throws what body() and the queue throw.
  template <class Body>
  void run(DeviceQueue& queue, const SliceShape& shape, Body body) {
    Slice& slice = find(shape);
    if (slice.times == 2) slice.recording = queue.record([&] { return body(true); });
    if (slice.recording) {
      queue.launch(slice.recording);
    } else {
      body(false);
    }
  }

 private:
  struct Slice {
    SliceShape shape;
    int64_t times = 0, last_use = 0;
    DeviceRecording recording = {};
  };
  // Counts a use of the shape.
  Slice& find(const SliceShape& shape);

  std::vector<Slice> slices_;
  int64_t uses_ = 0;
};

}  // namespace tw
