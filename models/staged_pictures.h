// Pictures of a slice that a device resizes, as the host stages them.
#pragma once

#include <atomic>

#include "kernels/ops.h"
#include "models/image_processor.h"
#include "models/slice_inputs.h"

namespace tw {

// What DeviceTable::resize reads of the pictures of one slice, one behind the other at the end of its inputs. Any
// number of threads may put pictures at once, each picture by one thread.
class StagedPictures {
 public:
  // What `count` pictures take at most, in staging memory and between the two passes, where results have `side` pixels.
  static int64_t staging_bytes(int64_t count, int64_t side);
  static int64_t between_bytes(int64_t count, int64_t side) { return count * share(side); }

  StagedPictures(SliceInputs& inputs, int64_t count, int64_t side);
  int64_t count() const { return std::ssize(pictures_); }

  // The i-th picture [plan.source.height, plan.source.width, 3], to be resized with these options. False, and nothing
  // done, if it is too large for its share: kSourcePixels times the pixels of a result. Pictures of the size of a
  // result that stay as they are always fit.
  bool put(int64_t i, const ImageProcessorOptions& options, const ImagePlan& plan, const uint8_t* rgb,
           ResizePasses& passes);
  // After the last put(): the operation, on `between` and `result` of the device.
  ResizeBatchArgs finish(uint8_t* between, uint8_t* result);

 private:
  // A picture beyond that is mostly decoding, and what it would take to the device is more than what resizing it here
  // costs.
  static constexpr int64_t kSourcePixels = 8;
  static int64_t share(int64_t side);

  SliceInputs& inputs_;
  int64_t side_;
  std::span<ResizePicture> pictures_;
  std::byte* memory_;                      // of all shares
  std::atomic<int64_t> used_ = 0;          // of it
  std::atomic<int64_t> between_used_ = 0;  // likewise
};

}  // namespace tw
