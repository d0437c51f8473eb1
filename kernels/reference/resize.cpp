// Both passes of a resize as their contract states them.
#include <algorithm>

#include "kernels/resize_args.h"

namespace tw {
namespace {

constexpr int32_t kHalf = 1 << 21;

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> 22, 0, 255)); }

}  // namespace

void resize_horizontal_u8_reference(const ResizeHorizontalArgs& args) {
  const ResizeTaps& taps = *args.taps;
  for (int64_t r = 0; r < args.rows; ++r) {
    const uint8_t* src = args.src + r * args.src_stride;
    uint8_t* dst = args.dst + r * args.dst_stride;
    for (int64_t x = 0; x < taps.output_size; ++x) {
      const ResizeWindow& window = taps.windows[x];
      for (int64_t c = 0; c < args.channels; ++c) {
        int32_t sum = kHalf;
        for (int64_t j = 0; j < window.count; ++j) {
          sum += taps.weights[window.weights + j] * src[(window.first + j) * args.channels + c];
        }
        dst[x * args.channels + c] = to_byte(sum);
      }
    }
  }
}

void resize_vertical_u8_reference(const ResizeVerticalArgs& args) {
  const ResizeTaps& taps = *args.taps;
  for (int64_t y = 0; y < args.outputs; ++y) {
    const ResizeWindow& window = taps.windows[args.first_output + y];
    const uint8_t* src = args.src + (window.first - args.src_first) * args.src_stride;
    uint8_t* dst = args.dst + y * args.dst_stride;
    for (int64_t b = 0; b < args.row_bytes; ++b) {
      int32_t sum = kHalf;
      for (int64_t j = 0; j < window.count; ++j) sum += taps.weights[window.weights + j] * src[j * args.src_stride + b];
      dst[b] = to_byte(sum);
    }
  }
}

}  // namespace tw
