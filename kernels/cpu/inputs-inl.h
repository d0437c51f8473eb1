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
template <class V>
void patches_f32_kernel(const PatchesArgs& p) {
  const auto* pixels = static_cast<const float*>(p.pixels);
  const int64_t grid_width = p.width / p.patch;
  for (int64_t r = 0; r < p.rows; ++r) {
    const int64_t gy = (p.first_row + r) / grid_width, gx = (p.first_row + r) % grid_width;
    float* out = p.y + r * p.y_stride;
    for (int64_t c = 0; c < p.channels; ++c) {
      for (int64_t y = 0; y < p.patch; ++y, out += p.patch) {
        const float* line = pixels + (c * p.height + gy * p.patch + y) * p.width + gx * p.patch;
        for_each_vector<V>(p.patch, [&](int64_t i, auto k) { V::load(line + i, k).store(out + i, k); });
      }
    }
  }
}

inline void patches_u8_kernel(const PatchesArgs& p) {
  const auto* pixels = static_cast<const uint8_t*>(p.pixels);
  const int64_t grid_width = p.width / p.patch, plane = p.patch * p.patch;
  const float *red = p.table, *green = p.table + 256, *blue = p.table + 512;
  for (int64_t r = 0; r < p.rows; ++r) {
    const int64_t gy = (p.first_row + r) / grid_width, gx = (p.first_row + r) % grid_width;
    float* out = p.y + r * p.y_stride;
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

}  // namespace
}  // namespace tw
