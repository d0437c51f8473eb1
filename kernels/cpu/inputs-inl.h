// From ids and pixels to the first matrix of a tower; element type conversion. Contracts: kernels/kernel_table.h.
#pragma once

#include "core/dtype.h"
#include "kernels/cpu/lanes.h"
#include "kernels/kernel_table.h"

namespace tw {
namespace {

template <class V>
void embed_kernel(const EmbedArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* word = p.word + p.ids[r] * p.columns;
    const float* type = p.type + p.type_ids[r] * p.columns;
    const float* position = p.position + p.position_ids[r] * p.columns;
    float* y = p.y + r * p.y_stride;
    for_each_vector<V>(p.columns, [&](int64_t i, auto k) {
      ((V::load(word + i, k) + V::load(type + i, k)) + V::load(position + i, k)).store(y + i, k);
    });
  }
}

template <class V>
void add_periodic_kernel(const AddPeriodicArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* table = p.table + (p.first + r) % p.period * p.columns;
    float* y = p.y + r * p.y_stride;
    for_each_vector<V>(p.columns,
                       [&](int64_t i, auto k) { (V::load(y + i, k) + V::load(table + i, k)).store(y + i, k); });
  }
}

// One row of patches after the other: pixels are read in memory order, each patch's lines are contiguous in y.
// `store` writes a vector of values to T.
template <class V, class T, class Store>
TUWEN_INLINE void patches_from_f32(const PatchesArgs& p, T* y_base, Store store) {
  const auto* pixels = static_cast<const float*>(p.pixels);
  const int64_t grid_width = p.width / p.patch;
  for (int64_t r = 0; r < p.rows; ++r) {
    const int64_t gy = (p.first_row + r) / grid_width, gx = (p.first_row + r) % grid_width;
    T* out = y_base + r * p.y_stride;
    for (int64_t c = 0; c < p.channels; ++c) {
      for (int64_t y = 0; y < p.patch; ++y, out += p.patch) {
        const float* line = pixels + (c * p.height + gy * p.patch + y) * p.width + gx * p.patch;
        for_each_vector<V>(p.patch, [&](int64_t i, auto k) { store(out + i, V::load(line + i, k), k); });
      }
    }
  }
}
template <class V>
void patches_f32_kernel(const PatchesArgs& p) {
  if (p.y_is_bf16)
    return patches_from_f32<V>(p, static_cast<uint16_t*>(p.y), [](uint16_t* y, V v, auto k) { store_bf16(y, v, k); });
  patches_from_f32<V>(p, static_cast<float*>(p.y), [](float* y, V v, auto k) { v.store(y, k); });
}

template <class T>
TUWEN_INLINE void patches_from_u8(const PatchesArgs& p, const T* table, T* y_base) {
  const auto* pixels = static_cast<const uint8_t*>(p.pixels);
  const int64_t grid_width = p.width / p.patch, plane = p.patch * p.patch;
  const T *red = table, *green = table + 256, *blue = table + 512;
  for (int64_t r = 0; r < p.rows; ++r) {
    const int64_t gy = (p.first_row + r) / grid_width, gx = (p.first_row + r) % grid_width;
    T* out = y_base + r * p.y_stride;
    for (int64_t y = 0; y < p.patch; ++y, out += p.patch) {
      const uint8_t* line = pixels + ((gy * p.patch + y) * p.width + gx * p.patch) * 3;
      for (int64_t x = 0; x < p.patch; ++x) {
        out[x] = red[line[3 * x]];
        out[plane + x] = green[line[3 * x + 1]];
        out[2 * plane + x] = blue[line[3 * x + 2]];
      }
    }
  }
}
template <class V>
void patches_u8_kernel(const PatchesArgs& p) {
  if (!p.y_is_bf16) return patches_from_u8(p, p.table, static_cast<float*>(p.y));
  uint16_t rounded[3 * 256];
  for_each_vector<V>(3 * 256, [&](int64_t i, auto k) { store_bf16(rounded + i, V::load(p.table + i, k), k); });
  patches_from_u8(p, rounded, static_cast<uint16_t*>(p.y));
}

template <class V>
void f16_to_f32_kernel(const ConvertArgs& p) {
  const auto* from = static_cast<const uint16_t*>(p.from);
  auto* to = static_cast<float*>(p.to);
  int64_t i = 0;
  for (; i + V::kLanes <= p.count; i += V::kLanes) load_f16(V(0.0f), from + i).store(to + i);
  for (; i < p.count; ++i) to[i] = f16_to_f32(from[i]);
}

template <class V>
void bf16_to_f32_kernel(const ConvertArgs& p) {
  const auto* from = static_cast<const uint16_t*>(p.from);
  auto* to = static_cast<float*>(p.to);
  int64_t i = 0;
  for (; i + V::kLanes <= p.count; i += V::kLanes) load_bf16(V(0.0f), from + i).store(to + i);
  for (; i < p.count; ++i) to[i] = bf16_to_f32(from[i]);
}

template <class V>
void f32_to_bf16_kernel(const ConvertArgs& p) {
  const auto* from = static_cast<const float*>(p.from);
  auto* to = static_cast<uint16_t*>(p.to);
  int64_t i = 0;
  for (; i + V::kLanes <= p.count; i += V::kLanes) store_bf16(to + i, V::load(from + i));
  for (; i < p.count; ++i) to[i] = f32_to_bf16(from[i]);
}

// A number of bf16 on the grid of E4M3, scaled: without branches, so that the compiler makes vectors of it.
inline uint16_t on_e4m3_grid(uint16_t x, float factor, float back) {
  const uint32_t bits = std::bit_cast<uint32_t>(bf16_to_f32(x) * factor), magnitude = bits & 0x7FFFFFFFu;
  const uint32_t large = (magnitude + 0x7FFFFu + (magnitude >> 20 & 1u)) & 0xFFF00000u;
  const float steps = (std::bit_cast<float>(magnitude) + 0x1p14f) - 0x1p14f;  // of 2^-9, below 2^-6
  uint32_t rounded = magnitude < 0x3C800000u ? std::bit_cast<uint32_t>(steps) : large;
  rounded = rounded > 0x43E00000u ? 0x43E00000u : rounded;    // 448
  rounded = magnitude > 0x7F800000u ? 0x7FC00000u : rounded;  // NaN
  const float y = std::bit_cast<float>(rounded | (bits & 0x80000000u)) * back;
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(y) >> 16);
}

template <class V>  // of the table whose instructions the compiler may use
void round_e4m3_kernel(const RoundE4m3Args& p) {
  const float back = 1.0f / p.factor;
  for (int64_t r = 0; r < p.rows; ++r) {
    const uint16_t* x = p.x + r * p.x_stride;
    uint16_t* y = p.y + r * p.y_stride;
    for (int64_t c = 0; c < p.columns; ++c) y[c] = on_e4m3_grid(x[c], p.factor, back);
    for (int64_t c = p.columns; c < p.y_columns; ++c) y[c] = 0;
  }
}

}  // namespace
}  // namespace tw
