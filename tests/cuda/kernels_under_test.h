// The operations under test on the host's arrays (staged.h), and in the form of a CPU's kernel table, so that what
// checks those checks them too.
#pragma once

#include "kernels/device_table.h"
#include "kernels/kernel_table.h"

namespace tw::test {

// Entries that have no CUDA kernel, the eight-bit ones, are the reference's.
const KernelTable& kernels_under_test();

// linear_bf16 as a device has it, but for how weights are packed.
inline LinearNarrowArgs as_narrow(const LinearBf16Args& p) {
  return {.type = DType::bf16,
          .x = p.x,
          .x_stride = p.x_stride,
          .weights = p.weights,
          .scale = nullptr,
          .bias = p.bias,
          .y = p.y,
          .y_type = p.y_is_bf16 ? DType::bf16 : DType::f32,
          .y_factor = 1.0f,
          .y_stride = p.y_stride,
          .rows = p.rows,
          .columns = p.columns,
          .k = p.k,
          .activation = p.activation,
          .add_to_output = p.add_to_output};
}

void linear_narrow_in_tiles(const LinearNarrowArgs& p, int tile_rows);
// Weights in tiles; only where has_sm90().
void linear_sm90_in_tiles(const LinearNarrowArgs& p, int tile_rows);
void attention_batch(const AttentionBatchArgs& p);  // of any type
void layer_norm_batch(const LayerNormBatchArgs& p);
void convert_to_f16(const ConvertArgs& p);
void patches_u8_batch(const PatchesBatchArgs& p);
void patches_f32_batch(const PatchesBatchArgs& p);
void resize(const ResizeBatchArgs& p, int64_t staged_bytes, int64_t between_bytes);
void gather_rows(const GatherRowsArgs& p, int64_t rows_of_x);
void clear(const ClearArgs& p);
void activate_rows(const ActivateArgs& p);
void compare_rows(const CompareRowsArgs& p);
void store_heads(const StoreHeadsArgs& p);

}  // namespace tw::test
