// The operations of ops.h where Exec names a device: each one or two entries of its table, for all rows at once, called
// by a team of one. What tensors and weights point to is memory that the device reads; arrays that say what to read
// (sequences, rows, ids) and pixels are the host's, and Exec says where the device's copy is.
#pragma once

#include "kernels/ops.h"

namespace tw::on_device {

// Weights are f32, bf16, f16 or e4m3: there is no product of whole numbers of eight bits.
void product(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output);
void layer_norm(Exec& ex, Tensor y, Tensor copy, Tensor x, const LayerNorm& w);
void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads);
void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads,
               const AttentionTerms& terms);
void gather_rows(
    Exec& ex, Tensor y, Tensor x,
    const int64_t* rows);  // null: every row; y may be bf16, f16 or e4m3 where x is f32, e4m3 where it is bf16
void store_heads(Exec& ex, const HeadBlocks& blocks, Tensor x);
void l2_normalize(Exec& ex, Tensor y, Tensor x);
void embed(Exec& ex, Tensor y, const float* word, const float* type, const float* position, const int32_t* ids,
           const int32_t* type_ids, const int32_t* position_ids);
void add_periodic(Exec& ex, Tensor y, const float* table, int64_t period);
void patches(Exec& ex, Tensor y, int64_t items, const PatchSource& source);
void resize(Exec& ex, ResizeBatchArgs pictures);
void similarity(Exec& ex, Tensor y, Tensor x, Tensor z, float scale);

}  // namespace tw::on_device
