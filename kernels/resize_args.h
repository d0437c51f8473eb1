// Resampling of 8-bit images the way Pillow does it (libImaging/Resample.c): what the two passes take. Plain data only.
//
// An axis of a resize turns `source_size` positions into `output_size`. Output i is
//   out[i] = clamp((2^21 + sum_j weights[i, j] * in[first_i + j]) >> 22, 0, 255),    j < count_i
// with weights in units of 2^-22 and an arithmetic shift. Sums are exact in 32 bits: sum_j |weights[i, j]| < 1.9 * 2^22
// (ResizeAxis guarantees it), so any order of summation gives the same bytes, and every table the same as `reference`.
#pragma once

#include <cstdint>

namespace tw {

// The weights of four neighbouring positions in the layout of a 16-bit multiply-add:
// weight = 65536 * high + low, with high in int8 (four in one word) and low in int16 (two in one word).
struct ResizeGroup {
  uint32_t high;  // positions 0, 1, 2, 3
  uint32_t even;  // low parts of positions 0 and 2
  uint32_t odd;   // low parts of positions 1 and 3
};

struct ResizeWindow {
  int32_t first, count;              // source positions [first, first + count), at least one
  int32_t weights;                   // index of the first of `count` weights
  int32_t group_first, group_count;  // the same window as groups of four positions from group_first <= first on;
  int32_t groups;                    // index of the first of `group_count` groups. Weights outside the window are 0.
};

struct ResizeTaps {
  int32_t source_size, output_size;
  const ResizeWindow* windows;  // [output_size]
  const int32_t* weights;
  const ResizeGroup* groups;
};

// dst[r, x, c] = sum over src[r, first_x .. , c], for `rows` rows of interleaved pixels.
// group_first of every window is a multiple of 4.
struct ResizeHorizontalArgs {
  const uint8_t* src;  // [rows, taps->source_size, channels]
  int64_t src_stride;  // bytes from row to row
  uint8_t* dst;        // [rows, taps->output_size, channels], must not overlap src
  int64_t dst_stride;
  int64_t rows;
  int32_t channels;  // 1 or 3
  const ResizeTaps* taps;
  uint8_t* scratch;  // resize_horizontal_scratch(source_size, channels) bytes, 64-byte aligned, overwritten
};

// One block of 16 rows, transposed, with the row rounded up to groups of four pixels and one load of 16 bytes.
constexpr int64_t resize_horizontal_scratch(int64_t source_size, int64_t channels) {
  return (source_size + 15) / 16 * 16 * channels * 16;
}

// dst[y, b] = sum over src[first_y .. , b], for outputs y in [first_output, first_output + outputs) and every byte b of
// a row. Reads only source rows inside the windows of those outputs.
struct ResizeVerticalArgs {
  const uint8_t* src;  // its first row is position `src_first` of the axis
  int64_t src_stride;  // bytes from row to row
  int64_t src_first;
  uint8_t* dst;  // row y of the result is dst + (y - first_output) * dst_stride; must not overlap src
  int64_t dst_stride;
  int64_t row_bytes;  // pixels times channels
  int64_t first_output, outputs;
  const ResizeTaps* taps;
};

struct ResizeFunctions {
  void (*horizontal)(const ResizeHorizontalArgs&);
  void (*vertical)(const ResizeVerticalArgs&);
};

// Plain loops: the specification. Needs no groups and no scratch.
void resize_horizontal_u8_reference(const ResizeHorizontalArgs& args);
void resize_vertical_u8_reference(const ResizeVerticalArgs& args);
// Call these only on a CPU that has the features of cmake/isa.cmake.
void resize_horizontal_u8_avx2(const ResizeHorizontalArgs& args);
void resize_vertical_u8_avx2(const ResizeVerticalArgs& args);
void resize_horizontal_u8_avx512(const ResizeHorizontalArgs& args);
void resize_vertical_u8_avx512(const ResizeVerticalArgs& args);

}  // namespace tw
