#include "kernels/cpu/absorb-inl.h"
#include "kernels/cpu/attention-inl.h"
#include "kernels/cpu/attention_full-inl.h"
#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/gemm_int8-inl.h"
#include "kernels/cpu/inputs-inl.h"
#include "kernels/cpu/int8_avx2.h"
#include "kernels/cpu/rows-inl.h"
#include "kernels/cpu/simd_avx2.h"
#include "kernels/cpu/strassen-inl.h"
#include "kernels/kernel_table.h"

namespace tw {

namespace {

// The tables differ in how they multiply bytes.
constexpr KernelTable table_of(const char* name, void (*linear_int8)(const LinearInt8Args&)) {
  return {
      .name = name,
      .linear = linear_kernel<F32x8, 1>,
      .strassen_sums = strassen_sums_kernel<F32x8>,
      .linear_strassen = linear_strassen_kernel<F32x8, 1>,
      .linear_bf16 = linear_bf16_kernel<WidenedProduct<F32x8>, 1>,
      .linear_int8 = linear_int8,
      .quantize = quantize_kernel<F32x8>,
      .round_e4m3 = round_e4m3_kernel<F32x8>,
      .attention = attention_kernel<F32x8, 1, AttentionArgs>,
      .attention_full = attention_full_kernel<F32x8, 1>,
      .attention_bf16 = attention_kernel<F32x8, 1, AttentionBf16Args>,
      .absorb_keys = absorb_keys_kernel<F32x8>,
      .softmax_columns = softmax_columns_kernel<F32x8>,
      .weigh_rows = weigh_rows_kernel<F32x8, 2>,
      .layer_norm = layer_norm_kernel<F32x8>,
      .softmax = softmax_kernel<F32x8>,
      .l2_normalize = l2_normalize_kernel<F32x8>,
      .activation = activation_kernel<F32x8>,
      .embed = embed_kernel<F32x8>,
      .add_periodic = add_periodic_kernel<F32x8>,
      .patches_u8 = patches_u8_kernel<F32x8>,
      .patches_f32 = patches_f32_kernel<F32x8>,
      .similarity = similarity_kernel<F32x8>,
      .f16_to_f32 = f16_to_f32_kernel<F32x8>,
      .bf16_to_f32 = bf16_to_f32_kernel<F32x8>,
      .f32_to_bf16 = f32_to_bf16_kernel<F32x8>,
  };
}

}  // namespace

const KernelTable& avx2_table() {
  static constexpr KernelTable kTable = table_of("avx2", linear_int8_kernel<MaddProduct256, 1>);
  return kTable;
}

const KernelTable& avx2vnni_table() {
  static constexpr KernelTable kTable = table_of("avx2vnni", linear_int8_kernel<VnniProduct256, 1>);
  return kTable;
}

}  // namespace tw
