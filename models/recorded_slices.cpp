#include "models/recorded_slices.h"

#include <algorithm>

namespace tw {

RecordedSlices::RecordedSlices() { slices_.reserve(kMost); }

RecordedSlices::Slice& RecordedSlices::find(const SliceShape& shape) {
  auto slice = std::find_if(slices_.begin(), slices_.end(), [&](const Slice& s) { return s.shape == shape; });
  if (slice == slices_.end()) {
    if (slices_.size() < kMost) {
      slice = slices_.insert(slices_.end(), Slice{shape});
    } else {
      slice = std::min_element(slices_.begin(), slices_.end(),
                               [](const Slice& a, const Slice& b) { return a.last_use < b.last_use; });
      *slice = Slice{shape};
    }
  }
  ++slice->times;
  slice->last_use = ++uses_;
  return *slice;
}

}  // namespace tw
