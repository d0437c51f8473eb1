// Pillow's Image.resize for 8-bit images with 1 or 3 channels, equal to the last bit for all six filters
// (Pillow libImaging/Resample.c and Geometry.c; checked against Pillow 13.0.0).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/resize_args.h"

namespace tw {

// The numbers are Pillow's Image.Resampling.
enum class ResizeFilter { nearest = 0, lanczos = 1, bilinear = 2, bicubic = 3, box = 4, hamming = 5 };

// Between the two passes pixels are rounded to bytes, so their order shows in the result (by one level, here and
// there). pillow_13: vertical first when the height shrinks, and by more than twice the pixels that the width shrinks
// by
//   (height < source_height and source_height - height > 2 (source_width - width)); Pillow 13.0, pull request 9549.
//   The "2" is measured, not documented: docs/image-parity.md.
// horizontal_first: always; Pillow up to 12.3.
enum class ResizeOrder { pillow_13, horizontal_first };

// Largest side of a source or a result, in pixels.
constexpr int32_t kMaxResizeSide = 65536;

// The weights of one axis. Holds memory that set() uses again; taps() is valid until the next set().
class ResizeAxis {
 public:
  // Sizes in [1, kMaxResizeSide], any filter but nearest. Every window's group_first is a multiple of group_alignment.
  void set(int32_t source_size, int32_t output_size, ResizeFilter filter, int32_t group_alignment);
  // Pillow's `nearest`: windows of one position, weight 1; where the sizes are equal, each its own.
  void set_nearest(int32_t source_size, int32_t output_size);
  ResizeTaps taps() const;

 private:
  void begin(int32_t source_size, int32_t output_size);

  int32_t source_size_ = 0, output_size_ = 0;
  std::vector<ResizeWindow> windows_;
  std::vector<int32_t> weights_;
  std::vector<ResizeGroup> groups_;
  std::vector<double> exact_;  // one window, before rounding
};

// Any resize as two passes with weights, `nearest` and axes that keep their size too, for who does it elsewhere (on a
// device). Keeps the weights of the sizes it had last. One thread at a time.
class ResizePasses {
 public:
  // Sides in [1, kMaxResizeSide].
  void set(ResizeFilter filter, ResizeOrder order, int32_t source_height, int32_t source_width, int32_t height,
           int32_t width);
  ResizeTaps vertical() const { return vertical_.taps(); }
  ResizeTaps horizontal() const { return horizontal_.taps(); }
  bool vertical_first() const { return vertical_first_; }

 private:
  std::optional<ResizeFilter> filter_;
  ResizeAxis vertical_, horizontal_;
  bool vertical_first_ = false;
};

// 8-bit pixels to resize: [height, width, channels], `stride` bytes from row to row.
struct ResizeSource {
  const uint8_t* pixels;
  int64_t stride;
  int32_t height, width, channels;
};

// A whole resize for one pair of sizes, and the memory that it works in: kept by the caller, so that images of one size
// cost neither weights nor allocations again. Used by one thread at a time.
class Resizer {
 public:
  // Reads `source`, writes dst, dense [height, width, source.channels]; they must not overlap.
  // Same size: a copy, without filtering. Throws invalid_argument for sizes outside [1, kMaxResizeSide], channels other
  // than 1 and 3, and a stride shorter than a row.
  void resize(const ResizeFunctions& functions, ResizeFilter filter, ResizeOrder order, const ResizeSource& source,
              uint8_t* dst, int32_t height, int32_t width);

 private:
  void prepare(ResizeFilter filter, const ResizeSource& source, int32_t height, int32_t width);
  void horizontal(const ResizeFunctions& functions, const ResizeSource& source, uint8_t* dst);
  void vertical(const ResizeFunctions& functions, const ResizeSource& source, uint8_t* dst);

  ResizeFilter filter_ = ResizeFilter::nearest;
  int32_t source_height_ = 0, source_width_ = 0, height_ = 0, width_ = 0;
  ResizeAxis horizontal_, vertical_;
  std::vector<uint8_t> scratch_, intermediate_;
};

}  // namespace tw
