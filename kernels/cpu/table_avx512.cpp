#include "kernels/cpu/absorb-inl.h"
#include "kernels/cpu/amx.h"
#include "kernels/cpu/attention-inl.h"
#include "kernels/cpu/attention_bf16-inl.h"
#include "kernels/cpu/attention_full-inl.h"
#include "kernels/cpu/bf16_avx512.h"
#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/gemm_int8-inl.h"
#include "kernels/cpu/inputs-inl.h"
#include "kernels/cpu/int8_avx512.h"
#include "kernels/cpu/rows-inl.h"
#include "kernels/cpu/simd_avx512.h"
#include "kernels/cpu/strassen-inl.h"
#include "kernels/kernel_table.h"

namespace tw {

namespace {

// The tables differ in how they multiply bf16 and bytes.
template <void (*LinearBf16)(const LinearBf16Args&), void (*AttentionBf16)(const AttentionBf16Args&),
          void (*LinearInt8)(const LinearInt8Args&)>
constexpr KernelTable table_of(const char* name) {
  return {
      .name = name,
      .linear = linear_kernel<F32x16, 4>,
      .strassen_sums = strassen_sums_kernel<F32x16>,
      .linear_strassen = linear_strassen_kernel<F32x16, 4>,
      .linear_bf16 = LinearBf16,
      .linear_int8 = LinearInt8,
      .quantize = quantize_kernel<F32x16>,
      .round_e4m3 = round_e4m3_kernel<F32x16>,
      .attention = attention_kernel<F32x16, 4, AttentionArgs>,
      .attention_full = attention_full_kernel<F32x16, 4>,
      .attention_bf16 = AttentionBf16,
      .absorb_keys = absorb_keys_kernel<F32x16>,
      .softmax_columns = softmax_columns_kernel<F32x16>,
      .weigh_rows = weigh_rows_kernel<F32x16, 4>,
      .layer_norm = layer_norm_kernel<F32x16>,
      .softmax = softmax_kernel<F32x16>,
      .l2_normalize = l2_normalize_kernel<F32x16>,
      .activation = activation_kernel<F32x16>,
      .embed = embed_kernel<F32x16>,
      .add_periodic = add_periodic_kernel<F32x16>,
      .patches_u8 = patches_u8_kernel<F32x16>,
      .patches_f32 = patches_f32_kernel<F32x16>,
      .similarity = similarity_kernel<F32x16>,
      .f16_to_f32 = f16_to_f32_kernel<F32x16>,
      .bf16_to_f32 = bf16_to_f32_kernel<F32x16>,
      .f32_to_bf16 = f32_to_bf16_kernel<F32x16>,
  };
}

}  // namespace

const KernelTable& avx512_table() {
  static constexpr KernelTable kTable =
      table_of<linear_bf16_kernel<WidenedProduct<F32x16>, 4>, attention_kernel<F32x16, 4, AttentionBf16Args>,
               linear_int8_kernel<MaddProduct512, 4>>("avx512");
  return kTable;
}

const KernelTable& avx512vnni_table() {
  static constexpr KernelTable kTable =
      table_of<linear_bf16_kernel<WidenedProduct<F32x16>, 4>, attention_kernel<F32x16, 4, AttentionBf16Args>,
               linear_int8_kernel<VnniProduct512, 4>>("avx512vnni");
  return kTable;
}

const KernelTable& avx512bf16_table() {
  static constexpr KernelTable kTable = table_of<linear_bf16_kernel<Bf16Product512, 4>,
                                                 attention_bf16_kernel<F32x16, linear_bf16_kernel<Bf16Product512, 4>>,
                                                 linear_int8_kernel<VnniProduct512, 4>>("avx512bf16");
  return kTable;
}

const KernelTable& avx512amx_table() {
  static constexpr KernelTable kTable =
      table_of<linear_bf16_amx, attention_bf16_kernel<F32x16, linear_bf16_amx>, linear_int8_amx>("avx512amx");
  return kTable;
}

}  // namespace tw
