// Every operation as a launch on a stream. Arguments and contracts are the kernel table's (kernels/kernel_table.h) and
// those of kernels/device_table.h; all pointers are device memory, `scratch` and `next` are not used.
#pragma once

#include "kernels/cuda/launch.h"
#include "kernels/device_table.h"
#include "kernels/kernel_table.h"

namespace tw::cuda {

void linear(Stream stream, const LinearArgs& p);
void linear_narrow(Stream stream, const LinearNarrowArgs& p);
// The same with tiles of kTallTile or kLowTile rows; the bits do not depend on it.
void linear_narrow_in_tiles(Stream stream, const LinearNarrowArgs& p, int tile_rows);
// Of weights in tiles, on devices that run code for sm_90a.
void linear_sm90(Stream stream, const LinearNarrowArgs& p);
void linear_sm90_in_tiles(Stream stream, const LinearNarrowArgs& p, int tile_rows);
void attention(Stream stream, const AttentionBatchArgs& p);
void attention_half(Stream stream, const AttentionBatchArgs& p);
void layer_norm(Stream stream, const LayerNormBatchArgs& p);
void softmax(Stream stream, const RowsArgs& p);
void l2_normalize(Stream stream, const RowsArgs& p);
void activation(Stream stream, const RowsArgs& p);
void activate_rows(Stream stream, const ActivateArgs& p);
void compare_rows(Stream stream, const CompareRowsArgs& p);
void embed(Stream stream, const EmbedArgs& p);
void add_periodic(Stream stream, const AddPeriodicArgs& p);
void patches_u8(Stream stream, const PatchesBatchArgs& p);
void patches_f32(Stream stream, const PatchesBatchArgs& p);
void resize(Stream stream, const ResizeBatchArgs& p);
void gather_rows(Stream stream, const GatherRowsArgs& p);
void clear(Stream stream, const ClearArgs& p);
void store_heads(Stream stream, const StoreHeadsArgs& p);
void similarity(Stream stream, const SimilarityArgs& p);
void f16_to_f32(Stream stream, const ConvertArgs& p);
void bf16_to_f32(Stream stream, const ConvertArgs& p);
void f32_to_bf16(Stream stream, const ConvertArgs& p);
void f32_to_f16(Stream stream, const ConvertArgs& p);

}  // namespace tw::cuda
