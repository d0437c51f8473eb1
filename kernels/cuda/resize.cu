// Pillow's resize of 8-bit pictures, with centre crop: two launches for all pictures of a slice, of whatever sizes. The
// sums are kernels/resize_args.h's, in integers.
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"

namespace tw::cuda {
namespace {

// `first`: the byte at position 0 of the axis; positions lie `step` bytes apart.
__device__ __forceinline__ uint8_t resample(const uint8_t* first, int64_t step, const ResizeWindow& window,
                                            const int32_t* weights) {
  int32_t sum = 1 << 21;
  for (int j = 0; j < window.count; ++j) sum += weights[window.weights + j] * first[(window.first + j) * step];
  sum >>= 22;
  return static_cast<uint8_t>(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

template <class T>
__device__ __forceinline__ const T* at(const std::byte* staged, int64_t offset) {
  return reinterpret_cast<const T*>(staged + offset);
}

// The byte of this thread in its picture: a picture has `blocks_each` blocks.
__device__ __forceinline__ int64_t byte_of_picture(int64_t blocks_each) {
  return static_cast<int64_t>(blockIdx.x) % blocks_each * kElementThreads + thread_x();
}

// Row y, byte b = 3 x + channel of what lies between the passes.
__global__ void __launch_bounds__(kElementThreads) resize_first_kernel(ResizeBatchArgs batch, int64_t blocks_each) {
  after_earlier_kernels();
  const ResizePicture& p = batch.pictures[static_cast<int64_t>(blockIdx.x) / blocks_each];
  const int64_t i = byte_of_picture(blocks_each);
  const int row = 3 * (p.vertical_first ? p.columns : p.width), y = static_cast<int>(i / row),
            b = static_cast<int>(i % row);
  if (y >= (p.vertical_first ? p.height : p.rows)) return;
  const auto* source = at<uint8_t>(batch.staged, p.source);
  const ResizeAxisAt& axis = p.vertical_first ? p.vertical : p.horizontal;
  const ResizeWindow& window = at<ResizeWindow>(batch.staged, axis.windows)[p.vertical_first ? y : b / 3];
  const uint8_t* first = source + (p.vertical_first ? b : int64_t{3} * y * p.columns + b % 3);
  batch.between[p.between + i] =
      resample(first, p.vertical_first ? row : 3, window, at<int32_t>(batch.staged, axis.weights));
}

// Every byte of the result, zeros beside the picture.
__global__ void __launch_bounds__(kElementThreads) resize_second_kernel(ResizeBatchArgs batch, int64_t blocks_each) {
  after_earlier_kernels();
  const int64_t picture = static_cast<int64_t>(blockIdx.x) / blocks_each, i = byte_of_picture(blocks_each);
  if (i >= 3 * batch.side * batch.side) return;
  const ResizePicture& p = batch.pictures[picture];
  const int row = 3 * static_cast<int>(batch.side), channel = static_cast<int>(i % 3);
  const int y = static_cast<int>(i / row) - p.top, x = static_cast<int>(i % row) / 3 - p.left;
  uint8_t value = 0;
  if (y >= 0 && y < p.height && x >= 0 && x < p.width) {
    const uint8_t* between = batch.between + p.between + channel;
    const ResizeAxisAt& axis = p.vertical_first ? p.horizontal : p.vertical;
    const ResizeWindow& window = at<ResizeWindow>(batch.staged, axis.windows)[p.vertical_first ? x : y];
    const int64_t between_row = int64_t{3} * (p.vertical_first ? p.columns : p.width);
    value = resample(between + (p.vertical_first ? y * between_row : 3 * x), p.vertical_first ? 3 : between_row, window,
                     at<int32_t>(batch.staged, axis.weights));
  }
  batch.result[picture * 3 * batch.side * batch.side + i] = value;
}

}  // namespace

void resize(Stream stream, const ResizeBatchArgs& p) {
  const auto pass = [&](int64_t bytes, void (*kernel)(ResizeBatchArgs, int64_t)) {
    Geometry g = elements_geometry(bytes);
    const int64_t blocks_each = g.blocks_x;
    g.blocks_x *= p.count;
    launch(g, stream, kernel, p, blocks_each);
  };
  pass(p.most_between, resize_first_kernel);
  pass(3 * p.side * p.side, resize_second_kernel);
}

}  // namespace tw::cuda
