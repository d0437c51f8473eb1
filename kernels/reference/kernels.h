// The reference kernels: plain loops, double accumulators, no vector type. Contracts: kernels/kernel_table.h.
#pragma once

#include "kernels/kernel_table.h"

namespace tw::reference {

void linear(const LinearArgs& p);
void strassen_sums(const StrassenRows& p);
void linear_strassen(const LinearStrassenArgs& p);
void linear_bf16(const LinearBf16Args& p);
void linear_int8(const LinearInt8Args& p);
void quantize(const QuantizeArgs& p);
void round_e4m3(const RoundE4m3Args& p);
void attention(const AttentionArgs& p);
void attention_full(const AttentionFullArgs& p);
void attention_bf16(const AttentionBf16Args& p);
void absorb_keys(const AbsorbKeysArgs& p);
void softmax_columns(const SoftmaxColumnsArgs& p);
void weigh_rows(const WeighRowsArgs& p);
void layer_norm(const LayerNormArgs& p);
void softmax(const RowsArgs& p);
void l2_normalize(const RowsArgs& p);
void activation(const RowsArgs& p);
void embed(const EmbedArgs& p);
void add_periodic(const AddPeriodicArgs& p);
void patches_u8(const PatchesArgs& p);
void patches_f32(const PatchesArgs& p);
void similarity(const SimilarityArgs& p);
void f16_to_f32(const ConvertArgs& p);
void bf16_to_f32(const ConvertArgs& p);
void f32_to_bf16(const ConvertArgs& p);

}  // namespace tw::reference
