#include "models/staged_pictures.h"

#include <algorithm>
#include <cstring>

namespace tw {
namespace {

constexpr int64_t aligned(int64_t bytes) { return round_up(bytes, static_cast<int64_t>(kAlignment)); }

// The outputs of an axis that a crop keeps, and the positions and weights that they read.
struct AxisPart {
  std::span<const ResizeWindow> windows;
  const int32_t* weights;
  int32_t first, count;  // positions
  int32_t first_weight;  // of `weights`
  int64_t weights_of_all;

  AxisPart(const ResizeTaps& taps, int32_t output, int32_t outputs)
      : windows(taps.windows + output, static_cast<size_t>(outputs)), weights(taps.weights) {
    const ResizeWindow &front = windows.front(), &back = windows.back();
    first = front.first;
    count = back.first + back.count - first;
    first_weight = front.weights;
    weights_of_all = int64_t{back.weights} + back.count - first_weight;
  }
  int64_t window_bytes() const { return aligned(static_cast<int64_t>(windows.size_bytes())); }
  int64_t bytes() const { return window_bytes() + aligned(weights_of_all * int64_t{sizeof(int32_t)}); }
  // Windows over the staged positions, then weights.
  void write(std::byte* to) const {
    auto* out = reinterpret_cast<ResizeWindow*>(to);
    for (ResizeWindow w : windows) {
      w.first -= first;
      w.weights -= first_weight;
      *out++ = w;
    }
    std::memcpy(to + window_bytes(), weights + first_weight, static_cast<size_t>(weights_of_all) * sizeof(int32_t));
  }
};

}  // namespace

int64_t StagedPictures::share(int64_t side) {
  const int64_t axis = aligned(side * int64_t{sizeof(ResizeWindow)}) + aligned(side * int64_t{sizeof(int32_t)});
  return aligned(kSourcePixels * 3 * side * side) + 2 * axis;
}

int64_t StagedPictures::staging_bytes(int64_t count, int64_t side) {
  return aligned(count * int64_t{sizeof(ResizePicture)}) + count * share(side);
}

StagedPictures::StagedPictures(SliceInputs& inputs, int64_t count, int64_t side)
    : inputs_(inputs), side_(side), pictures_(inputs.make<ResizePicture>(count)), memory_(inputs.next()) {}

bool StagedPictures::put(int64_t i, const ImageProcessorOptions& o, const ImagePlan& plan, const uint8_t* rgb,
                         ResizePasses& passes) {
  const CropWindow& crop = plan.window;
  passes.set(o.resample, o.resize_order, plan.source.height, plan.source.width, plan.resized.height,
             plan.resized.width);
  const AxisPart vertical(passes.vertical(), crop.source_y, crop.extent.height),
      horizontal(passes.horizontal(), crop.source_x, crop.extent.width);
  const int64_t row = int64_t{3} * horizontal.count, source_bytes = aligned(vertical.count * row);
  const int64_t bytes = source_bytes + vertical.bytes() + horizontal.bytes();
  const int64_t between =
      aligned(passes.vertical_first() ? crop.extent.height * row : int64_t{3} * vertical.count * crop.extent.width);
  if (std::max(bytes, between) > share(side_)) return false;

  const int64_t at = used_.fetch_add(bytes, std::memory_order_relaxed);
  const auto* origin = reinterpret_cast<const std::byte*>(pictures_.data());
  const int64_t source = memory_ + at - origin, vertical_at = source + source_bytes,
                horizontal_at = vertical_at + vertical.bytes();
  const uint8_t* from = rgb + (int64_t{vertical.first} * plan.source.width + horizontal.first) * 3;
  for (int64_t y = 0; y < vertical.count; ++y)
    std::memcpy(memory_ + at + y * row, from + y * 3 * plan.source.width, static_cast<size_t>(row));
  vertical.write(memory_ + at + source_bytes);
  horizontal.write(memory_ + at + source_bytes + vertical.bytes());
  pictures_[static_cast<size_t>(i)] = {
      .source = source,
      .rows = vertical.count,
      .columns = horizontal.count,
      .vertical = {vertical_at, vertical_at + vertical.window_bytes()},
      .horizontal = {horizontal_at, horizontal_at + horizontal.window_bytes()},
      .top = crop.y,
      .left = crop.x,
      .height = crop.extent.height,
      .width = crop.extent.width,
      .between = between_used_.fetch_add(between, std::memory_order_relaxed),
      .vertical_first = passes.vertical_first(),
  };
  return true;
}

ResizeBatchArgs StagedPictures::finish(uint8_t* between, uint8_t* result) {
  inputs_.make<std::byte>(used_);
  int64_t most_between = 0;
  for (const ResizePicture& p : pictures_) {
    const int64_t pixels = p.vertical_first ? int64_t{p.height} * p.columns : int64_t{p.rows} * p.width;
    most_between = std::max(most_between, 3 * pixels);
  }
  return {.staged = reinterpret_cast<const std::byte*>(pictures_.data()),
          .pictures = pictures_.data(),
          .count = count(),
          .between = between,
          .most_between = most_between,
          .result = result,
          .side = side_};
}

}  // namespace tw
