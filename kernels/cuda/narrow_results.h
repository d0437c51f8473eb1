// Results of products in bf16, f16 and E4M3 on their way from a thread's sums to memory: kColumns columns of a row side
// by side, 4 or 8, from a multiple of that on.
#pragma once

#include "kernels/cuda/activation.h"
#include "kernels/device_table.h"

namespace tw::cuda {

// Scale and bias of these columns; those of the last one for what lies behind it.
template <DType kType, int kColumns>
struct ColumnTerms {
  float scale[kColumns], bias[kColumns];

  __device__ __forceinline__ ColumnTerms(const LinearNarrowArgs& p, int column) {
    const int last = static_cast<int>(p.columns) - 1;
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const int c = column + j < last ? column + j : last;
      scale[j] = kType == DType::e4m3 && p.scale != nullptr ? p.scale[c] : 1.0f;
      bias[j] = p.bias != nullptr ? p.bias[c] : 0.0f;
    }
  }

  __device__ __forceinline__ void apply(const LinearNarrowArgs& p, float (&v)[kColumns]) const {
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      if (kType == DType::e4m3 && p.scale != nullptr) v[j] *= scale[j];
      if (p.bias != nullptr) v[j] += bias[j];
    }
    // Four at a time, by the same code: more take more registers than there are beside the sums.
#pragma unroll 1
    for (int i = 0; i < kColumns; i += 4) {
      float four[4] = {v[0], v[1], v[2], v[3]};
      activate(p.activation, four);
#pragma unroll
      for (int j = 4; j < kColumns; ++j) v[j - 4] = v[j];
#pragma unroll
      for (int j = 0; j < 4; ++j) v[kColumns - 4 + j] = four[j];
    }
  }
};

// Whether y lies so that kColumns columns of a row can be stored at once.
template <int kColumns>
__device__ __forceinline__ bool can_store_at_once(const LinearNarrowArgs& p) {
  return reinterpret_cast<uintptr_t>(p.y) % (kColumns * size_of(p.y_type)) == 0 && p.y_stride % kColumns == 0;
}

// Pieces of 4 or 8 bytes as one of 8 or 16.
__device__ __forceinline__ void store_words(void* to, const uint32_t (&words)[1]) {
  *static_cast<uint32_t*>(to) = words[0];
}
__device__ __forceinline__ void store_words(void* to, const uint32_t (&words)[2]) {
  *static_cast<uint2*>(to) = uint2{words[0], words[1]};
}
__device__ __forceinline__ void store_words(void* to, const uint32_t (&words)[4]) {
  *static_cast<uint4*>(to) = uint4{words[0], words[1], words[2], words[3]};
}

// Adds what was there if that is asked for, rounds and stores. `at_once`: can_store_at_once().
template <DType kType, int kColumns>
__device__ __forceinline__ void store_columns(const LinearNarrowArgs& p, int64_t row, int column, bool at_once,
                                              float (&v)[kColumns]) {
  const int64_t at = row * p.y_stride + column;
  const int left = static_cast<int>(p.columns) - column;
  const bool whole = at_once && left >= kColumns;
  if (p.y_type == DType::f32) {
    auto* y = static_cast<float*>(p.y) + at;
    if (!whole) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j)
        if (j < left) y[j] = p.add_to_output ? v[j] + y[j] : v[j];
      return;
    }
#pragma unroll
    for (int j = 0; j < kColumns; j += 4) {
      if (p.add_to_output) {
        const float4 old = *reinterpret_cast<const float4*>(y + j);
        v[j] += old.x, v[j + 1] += old.y, v[j + 2] += old.z, v[j + 3] += old.w;
      }
      *reinterpret_cast<float4*>(y + j) = float4{v[j], v[j + 1], v[j + 2], v[j + 3]};
    }
    return;
  }
  if constexpr (kType == DType::e4m3) {
    if (p.y_type == DType::e4m3) {
      uint32_t fours[kColumns / 4];
#pragma unroll
      for (int j = 0; j < kColumns; j += 4)
        fours[j / 4] = round_e4m3_pair(v[j] * p.y_factor, v[j + 1] * p.y_factor) |
                       static_cast<uint32_t>(round_e4m3_pair(v[j + 2] * p.y_factor, v[j + 3] * p.y_factor)) << 16;
      auto* y = static_cast<uint8_t*>(p.y) + at;
      if (whole) return store_words(y, fours);
#pragma unroll
      for (int j = 0; j < kColumns; ++j)
        if (j < left) y[j] = static_cast<uint8_t>(fours[j / 4] >> (j % 4 * 8));
      return;
    }
  }
  constexpr DType kHalf = kType == DType::f16 ? DType::f16 : DType::bf16;
  uint32_t pairs[kColumns / 2];
#pragma unroll
  for (int j = 0; j < kColumns; j += 2) pairs[j / 2] = round_pair<kHalf>(v[j], v[j + 1]);
  auto* y = static_cast<uint16_t*>(p.y) + at;
  if (whole) return store_words(y, pairs);
#pragma unroll
  for (int j = 0; j < kColumns; ++j)
    if (j < left) y[j] = static_cast<uint16_t>(pairs[j / 2] >> (j % 2 * 16));
}

}  // namespace tw::cuda
