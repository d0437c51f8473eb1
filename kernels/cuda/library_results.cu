// What is done to results of a library's products: activations in place, which it does not have, and a comparison with
// the own kernels' results.
#include "kernels/cuda/activation.h"
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"

namespace tw::cuda {
namespace {

constexpr int kAtOnce = 8;  // elements: 16 bytes

template <DType kType>
__device__ __forceinline__ float widen(uint32_t bits) {
  const auto half = static_cast<uint16_t>(bits);
  if constexpr (kType == DType::bf16) {
    return widen_bf16(half);
  } else {
    constexpr float kLowest = -65504.0f;
    const float v = widen_f16(half);
    return v < kLowest ? kLowest : v;
  }
}

template <DType kType>
__device__ __forceinline__ void activate_eight(Activation activation, uint4& bits) {
  float v[kAtOnce] = {widen<kType>(bits.x),       widen<kType>(bits.x >> 16), widen<kType>(bits.y),
                      widen<kType>(bits.y >> 16), widen<kType>(bits.z),       widen<kType>(bits.z >> 16),
                      widen<kType>(bits.w),       widen<kType>(bits.w >> 16)};
  activate(activation, v);
  bits = uint4{round_pair<kType>(v[0], v[1]), round_pair<kType>(v[2], v[3]), round_pair<kType>(v[4], v[5]),
               round_pair<kType>(v[6], v[7])};
}

template <DType kType>
__global__ void __launch_bounds__(kColumnThreads) activate_kernel(ActivateArgs p) {
  after_earlier_kernels();
  auto* row = static_cast<uint16_t*>(p.x) + static_cast<int64_t>(blockIdx.x) * p.x_stride;
  const bool aligned = reinterpret_cast<uintptr_t>(row) % sizeof(uint4) == 0;
  const int64_t whole = aligned ? p.columns / kAtOnce * kAtOnce : 0;
  for (int64_t c = int64_t{thread_x()} * kAtOnce; c < whole; c += kColumnThreads * kAtOnce)
    activate_eight<kType>(p.activation, *reinterpret_cast<uint4*>(row + c));
  for (int64_t c = whole + thread_x(); c < p.columns; c += kColumnThreads)
    row[c] = round_half<kType>(activate(p.activation, widen<kType>(row[c])));
}

__device__ __forceinline__ bool is_finite(float v) { return fabsf(v) <= 3.402823466e38f; }

__device__ __forceinline__ float number(const void* from, DType type, int64_t i) {
  if (type == DType::f32) return static_cast<const float*>(from)[i];
  const uint16_t half = static_cast<const uint16_t*>(from)[i];
  return type == DType::f16 ? widen_f16(half) : widen_bf16(half);
}

__global__ void __launch_bounds__(kRowWarps* kWarpSize) compare_rows_kernel(CompareRowsArgs p) {
  after_earlier_kernels();
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowWarps + warp_of(thread_x());
  if (row >= p.rows) return;
  const int lane = lane_of(thread_x());
  float squares = 0.0f;
  for (int64_t c = lane; c < p.columns; c += kWarpSize) {
    const float x = number(p.x, p.type, row * p.stride + c);
    squares = fmaf(x, x, squares);
  }
  squares = warp_sum(squares);
  const float of_row = p.row * sqrtf(squares / static_cast<float>(p.columns));
  float worst = 0.0f;
  for (int64_t c = lane; c < p.columns; c += kWarpSize) {
    const float x = number(p.x, p.type, row * p.stride + c), y = number(p.y, p.type, row * p.stride + c);
    const float share = y == x ? 0.0f : fabsf(y - x) / (p.each * fabsf(x) + of_row);
    worst = fmaxf(worst, is_finite(share) ? share : HUGE_VALF);
  }
  worst = warp_max(worst);
  if (lane == 0) p.worst[row] = is_finite(squares) ? worst : NAN;
}

}  // namespace

void activate_rows(Stream stream, const ActivateArgs& p) {
  launch(columns_geometry(p.rows, p.columns), stream,
         p.type == DType::f16 ? activate_kernel<DType::f16> : activate_kernel<DType::bf16>, p);
}

void compare_rows(Stream stream, const CompareRowsArgs& p) {
  launch(rows_geometry(p.rows, p.columns), stream, compare_rows_kernel, p);
}

}  // namespace tw::cuda
