// From ids and pixels to the first matrix of a tower, rows that move, and element types: no arithmetic beyond
// additions.
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/store.h"

namespace tw::cuda {
namespace {

__global__ void __launch_bounds__(kColumnThreads) embed_kernel(EmbedArgs p) {
  after_earlier_kernels();
  const auto row = static_cast<int64_t>(blockIdx.x);
  const float* word = p.word + p.ids[row] * p.columns;
  const float* type = p.type + p.type_ids[row] * p.columns;
  const float* position = p.position + p.position_ids[row] * p.columns;
  for (int64_t c = thread_x(); c < p.columns; c += kColumnThreads)
    p.y[row * p.y_stride + c] = (word[c] + type[c]) + position[c];
}

__global__ void __launch_bounds__(kColumnThreads) add_periodic_kernel(AddPeriodicArgs p) {
  after_earlier_kernels();
  const auto row = static_cast<int64_t>(blockIdx.x);
  const float* table = p.table + (p.first + row) % p.period * p.columns;
  for (int64_t c = thread_x(); c < p.columns; c += kColumnThreads) p.y[row * p.y_stride + c] += table[c];
}

// A block has one row: the patch at (top, left) of one item, or an item's class row.
template <bool kU8>
__global__ void __launch_bounds__(kColumnThreads) patches_kernel(PatchesBatchArgs batch) {
  after_earlier_kernels();
  const PatchesArgs& p = batch.item;
  const int64_t rows_each = p.rows + (batch.class_row ? 1 : 0);
  const int64_t item = static_cast<int64_t>(blockIdx.x) / rows_each, row = static_cast<int64_t>(blockIdx.x) % rows_each;
  const int64_t out = (item * batch.item_rows + row) * p.y_stride;
  const bool zero = batch.class_row && row == 0;
  const int64_t patch_row = p.first_row + row - (batch.class_row ? 1 : 0), grid_width = p.width / p.patch;
  const int64_t top = patch_row / grid_width * p.patch, left = patch_row % grid_width * p.patch;
  const auto* bytes = static_cast<const unsigned char*>(p.pixels) + item * batch.item_bytes;
  const int patch = static_cast<int>(p.patch), area = patch * patch, columns = static_cast<int>(p.channels) * area;
  for (int c = thread_x(); c < columns; c += kColumnThreads) {
    const int channel = c / area, y = c % area / patch, x = c % patch;
    float v = 0.0f;
    if (!zero) {
      if constexpr (kU8) {
        v = p.table[channel * 256 + bytes[((top + y) * p.width + left + x) * 3 + channel]];
      } else {
        v = reinterpret_cast<const float*>(bytes)[(channel * p.height + top + y) * p.width + left + x];
      }
    }
    store(p.y, batch.y_type, out + c, v, 1.0f);
  }
}

template <bool kU8>
void patches(Stream stream, const PatchesBatchArgs& p) {
  const int64_t rows = p.item.rows + (p.class_row ? 1 : 0);
  launch(columns_geometry(p.items * rows, p.item.channels * p.item.patch * p.item.patch), stream, patches_kernel<kU8>,
         p);
}

__global__ void __launch_bounds__(kColumnThreads) gather_rows_kernel(GatherRowsArgs p) {
  after_earlier_kernels();
  const auto row = static_cast<int64_t>(blockIdx.x);
  const int64_t from = (p.rows != nullptr ? p.rows[row] : row) * p.x_stride, to = row * p.y_stride;
  for (int64_t c = thread_x(); c < p.columns; c += kColumnThreads) {
    if (p.x_type == DType::f32) {
      store(p.y, p.y_type, to + c, static_cast<const float*>(p.x)[from + c], p.y_factor);
    } else if (p.x_type == DType::e4m3) {
      static_cast<uint8_t*>(p.y)[to + c] = static_cast<const uint8_t*>(p.x)[from + c];
    } else if (p.y_type == DType::e4m3) {
      store(p.y, p.y_type, to + c, widen_bf16(static_cast<const uint16_t*>(p.x)[from + c]), p.y_factor);
    } else {
      static_cast<uint16_t*>(p.y)[to + c] = static_cast<const uint16_t*>(p.x)[from + c];
    }
  }
}

__global__ void __launch_bounds__(kColumnThreads) clear_kernel(ClearArgs p) {
  after_earlier_kernels();
  for (int64_t c = thread_x(); c < p.bytes; c += kColumnThreads)
    static_cast<uint8_t*>(p.y)[static_cast<int64_t>(blockIdx.x) * p.y_stride + c] = 0;
}

// A block has one row of one head's block.
__global__ void __launch_bounds__(kColumnThreads) store_heads_kernel(StoreHeadsArgs p) {
  after_earlier_kernels();
  const HeadBlocks& b = p.blocks;
  const int64_t keys = b.past + b.length, block = static_cast<int64_t>(blockIdx.x);
  const int64_t unit = block / keys, key = block % keys, item = unit / b.heads, head = unit % b.heads;
  const float* from = key < b.past ? b.before + (unit * b.past + key) * p.width
                                   : p.x + (item * b.length + key - b.past) * p.x_stride + head * p.width;
  for (int64_t c = thread_x(); c < p.width; c += kColumnThreads) b.to[block * p.width + c] = from[c];
}

__device__ __forceinline__ int64_t element() { return static_cast<int64_t>(blockIdx.x) * kElementThreads + thread_x(); }

__global__ void __launch_bounds__(kElementThreads) f16_to_f32_kernel(ConvertArgs p) {
  after_earlier_kernels();
  const int64_t i = element();
  if (i < p.count) static_cast<float*>(p.to)[i] = widen_f16(static_cast<const uint16_t*>(p.from)[i]);
}
__global__ void __launch_bounds__(kElementThreads) bf16_to_f32_kernel(ConvertArgs p) {
  after_earlier_kernels();
  const int64_t i = element();
  if (i < p.count) static_cast<float*>(p.to)[i] = widen_bf16(static_cast<const uint16_t*>(p.from)[i]);
}
__global__ void __launch_bounds__(kElementThreads) f32_to_bf16_kernel(ConvertArgs p) {
  after_earlier_kernels();
  const int64_t i = element();
  if (i < p.count) static_cast<uint16_t*>(p.to)[i] = round_half<DType::bf16>(static_cast<const float*>(p.from)[i]);
}
__global__ void __launch_bounds__(kElementThreads) f32_to_f16_kernel(ConvertArgs p) {
  after_earlier_kernels();
  const int64_t i = element();
  if (i < p.count) static_cast<uint16_t*>(p.to)[i] = round_half<DType::f16>(static_cast<const float*>(p.from)[i]);
}

}  // namespace

void embed(Stream stream, const EmbedArgs& p) { launch(columns_geometry(p.rows, p.columns), stream, embed_kernel, p); }
void add_periodic(Stream stream, const AddPeriodicArgs& p) {
  launch(columns_geometry(p.rows, p.columns), stream, add_periodic_kernel, p);
}
void patches_u8(Stream stream, const PatchesBatchArgs& p) { patches<true>(stream, p); }
void patches_f32(Stream stream, const PatchesBatchArgs& p) { patches<false>(stream, p); }
void gather_rows(Stream stream, const GatherRowsArgs& p) {
  launch(columns_geometry(p.count, p.columns), stream, gather_rows_kernel, p);
}
void clear(Stream stream, const ClearArgs& p) { launch(columns_geometry(p.rows, p.bytes), stream, clear_kernel, p); }
void store_heads(Stream stream, const StoreHeadsArgs& p) {
  const HeadBlocks& b = p.blocks;
  launch(columns_geometry(b.items * b.heads * (b.past + b.length), p.width), stream, store_heads_kernel, p);
}
void f16_to_f32(Stream stream, const ConvertArgs& p) {
  launch(elements_geometry(p.count), stream, f16_to_f32_kernel, p);
}
void bf16_to_f32(Stream stream, const ConvertArgs& p) {
  launch(elements_geometry(p.count), stream, bf16_to_f32_kernel, p);
}
void f32_to_bf16(Stream stream, const ConvertArgs& p) {
  launch(elements_geometry(p.count), stream, f32_to_bf16_kernel, p);
}
void f32_to_f16(Stream stream, const ConvertArgs& p) {
  launch(elements_geometry(p.count), stream, f32_to_f16_kernel, p);
}

}  // namespace tw::cuda
