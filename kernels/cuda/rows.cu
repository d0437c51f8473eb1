// layer_norm, softmax, l2_normalize: one warp a row, so that a row's bits depend on that row alone; activation.
#include "kernels/cuda/activation.h"
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/store.h"

namespace tw::cuda {
namespace {

__device__ __forceinline__ int64_t row_of_warp() {
  return static_cast<int64_t>(blockIdx.x) * kRowWarps + warp_of(thread_x());
}

__global__ void __launch_bounds__(kRowWarps* kWarpSize) layer_norm_kernel(LayerNormBatchArgs batch) {
  after_earlier_kernels();
  const LayerNormArgs& p = batch.rows;
  const int64_t row = row_of_warp();
  if (row >= p.rows) return;
  const float* x = p.x + row * p.x_stride;
  const int lane = lane_of(thread_x());
  const auto share = 1.0f / static_cast<float>(p.columns);
  float total = 0.0f, squares = 0.0f, rest = 0.0f;
  for (int64_t c = lane; c < p.columns; c += kWarpSize) total += x[c];
  const float mean = warp_sum(total) * share;
  for (int64_t c = lane; c < p.columns; c += kWarpSize) {
    const float d = x[c] - mean;
    squares = fmaf(d, d, squares);
    rest += d;
  }
  // What rounding the mean has left (the corrected two-pass algorithm: Chan, Golub, LeVeque 1983).
  const float shift = warp_sum(rest) * share;
  const float variance = warp_sum(squares) * share - shift * shift;
  const float factor = 1.0f / sqrtf((variance < 0.0f ? 0.0f : variance) + p.epsilon), offset = -shift * factor;
  for (int64_t c = lane; c < p.columns; c += kWarpSize) {
    const float y = fmaf(fmaf(x[c] - mean, factor, offset), p.gamma[c], p.beta[c]);
    if (p.y != nullptr) p.y[row * p.y_stride + c] = y;
    if (p.y_bf16 != nullptr) store(p.y_bf16, batch.copy_type, row * p.y_bf16_stride + c, y, batch.copy_factor);
  }
}

__global__ void __launch_bounds__(kRowWarps* kWarpSize) softmax_kernel(RowsArgs p) {
  after_earlier_kernels();
  const int64_t row = row_of_warp();
  if (row >= p.rows) return;
  const float* x = p.x + row * p.x_stride;
  float* y = p.y + row * p.y_stride;
  const int lane = lane_of(thread_x());
  float largest = -HUGE_VALF, total = 0.0f;
  for (int64_t c = lane; c < p.columns; c += kWarpSize) largest = fmaxf(largest, x[c]);
  largest = warp_max(largest);
  for (int64_t c = lane; c < p.columns; c += kWarpSize) {
    const float e = expf(x[c] - largest);
    y[c] = e;
    total += e;
  }
  total = warp_sum(total);
  for (int64_t c = lane; c < p.columns; c += kWarpSize) y[c] = y[c] / total;
}

__global__ void __launch_bounds__(kRowWarps* kWarpSize) l2_normalize_kernel(RowsArgs p) {
  after_earlier_kernels();
  const int64_t row = row_of_warp();
  if (row >= p.rows) return;
  const float* x = p.x + row * p.x_stride;
  const int lane = lane_of(thread_x());
  float squares = 0.0f;
  for (int64_t c = lane; c < p.columns; c += kWarpSize) squares = fmaf(x[c], x[c], squares);
  const float length = sqrtf(warp_sum(squares));
  for (int64_t c = lane; c < p.columns; c += kWarpSize) p.y[row * p.y_stride + c] = x[c] / length;
}

__global__ void __launch_bounds__(kColumnThreads) activation_kernel(RowsArgs p) {
  after_earlier_kernels();
  const auto row = static_cast<int64_t>(blockIdx.x);
  for (int64_t c = thread_x(); c < p.columns; c += kColumnThreads)
    p.y[row * p.y_stride + c] = activate(p.activation, p.x[row * p.x_stride + c]);
}

}  // namespace

void layer_norm(Stream stream, const LayerNormBatchArgs& p) {
  launch(rows_geometry(p.rows.rows, p.rows.columns), stream, layer_norm_kernel, p);
}
void softmax(Stream stream, const RowsArgs& p) { launch(rows_geometry(p.rows, p.columns), stream, softmax_kernel, p); }
void l2_normalize(Stream stream, const RowsArgs& p) {
  launch(rows_geometry(p.rows, p.columns), stream, l2_normalize_kernel, p);
}
void activation(Stream stream, const RowsArgs& p) {
  launch(columns_geometry(p.rows, p.columns), stream, activation_kernel, p);
}

}  // namespace tw::cuda
