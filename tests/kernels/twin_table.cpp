// The shared kernel templates on the one-lane vector: what they compute without any instruction set. Tiles take up to
// four strips, as on AVX-512. Entries that are not templates over the vector stay the reference's.
#include "kernels/cpu/absorb-inl.h"
#include "kernels/cpu/attention-inl.h"
#include "kernels/cpu/attention_bf16-inl.h"
#include "kernels/cpu/attention_full-inl.h"
#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/inputs-inl.h"
#include "kernels/cpu/rows-inl.h"
#include "kernels/cpu/simd_scalar.h"
#include "kernels/cpu/strassen-inl.h"
#include "tests/kernels/harness.h"

namespace tw::test {

const KernelTable& twin_table() {
  static const KernelTable kTable = [] {
    KernelTable t = reference_table();
    t.name = "twin";
    t.linear = linear_kernel<F32x1, 4>;
    t.strassen_sums = strassen_sums_kernel<F32x1>;
    t.linear_strassen = linear_strassen_kernel<F32x1, 4>;
    t.linear_bf16 = linear_bf16_kernel<WidenedProduct<F32x1>, 4>;
    t.attention = attention_kernel<F32x1, 4, AttentionArgs>;
    t.attention_full = attention_full_kernel<F32x1, 4>;
    t.attention_bf16 = attention_bf16_kernel<F32x1, linear_bf16_kernel<WidenedProduct<F32x1>, 4>>;
    t.absorb_keys = absorb_keys_kernel<F32x1>;
    t.softmax_columns = softmax_columns_kernel<F32x1>;
    t.weigh_rows = weigh_rows_kernel<F32x1, 4>;
    t.layer_norm = layer_norm_kernel<F32x1>;
    t.softmax = softmax_kernel<F32x1>;
    t.l2_normalize = l2_normalize_kernel<F32x1>;
    t.activation = activation_kernel<F32x1>;
    t.embed = embed_kernel<F32x1>;
    t.add_periodic = add_periodic_kernel<F32x1>;
    t.patches_u8 = patches_u8_kernel<F32x1>;
    t.patches_f32 = patches_f32_kernel<F32x1>;
    t.similarity = similarity_kernel<F32x1>;
    t.f16_to_f32 = f16_to_f32_kernel<F32x1>;
    t.bf16_to_f32 = bf16_to_f32_kernel<F32x1>;
    t.f32_to_bf16 = f32_to_bf16_kernel<F32x1>;
    return t;
  }();
  return kTable;
}

}  // namespace tw::test
