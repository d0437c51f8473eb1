// From ids and pixels to the first matrix of a tower.
#include "core/dtype.h"
#include "kernels/reference/kernels.h"

namespace tw::reference {

void embed(const EmbedArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r)
    for (int64_t c = 0; c < p.columns; ++c)
      p.y[r * p.y_stride + c] = (p.word[p.ids[r] * p.columns + c] + p.type[p.type_ids[r] * p.columns + c]) +
                                p.position[p.position_ids[r] * p.columns + c];
}

void add_periodic(const AddPeriodicArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r)
    for (int64_t c = 0; c < p.columns; ++c)
      p.y[r * p.y_stride + c] += p.table[(p.first + r) % p.period * p.columns + c];
}

namespace {

template <class Value>
void patches(const PatchesArgs& p, Value value) {
  const int64_t grid_width = p.width / p.patch;
  for (int64_t r = 0; r < p.rows; ++r) {
    const int64_t y0 = (p.first_row + r) / grid_width * p.patch, x0 = (p.first_row + r) % grid_width * p.patch;
    int64_t at = r * p.y_stride;
    for (int64_t c = 0; c < p.channels; ++c) {
      for (int64_t y = 0; y < p.patch; ++y) {
        for (int64_t x = 0; x < p.patch; ++x, ++at) {
          const float v = value(c, y0 + y, x0 + x);
          if (p.y_is_bf16) {
            static_cast<uint16_t*>(p.y)[at] = tw::f32_to_bf16(v);
          } else {
            static_cast<float*>(p.y)[at] = v;
          }
        }
      }
    }
  }
}

}  // namespace

void patches_u8(const PatchesArgs& p) {
  const auto* pixels = static_cast<const uint8_t*>(p.pixels);
  patches(p, [&](int64_t c, int64_t y, int64_t x) { return p.table[c * 256 + pixels[(y * p.width + x) * 3 + c]]; });
}

void patches_f32(const PatchesArgs& p) {
  const auto* pixels = static_cast<const float*>(p.pixels);
  patches(p, [&](int64_t c, int64_t y, int64_t x) { return pixels[(c * p.height + y) * p.width + x]; });
}

}  // namespace tw::reference
