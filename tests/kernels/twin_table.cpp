// The shared kernel templates on the one-lane vector: what they compute without any instruction set. Tiles take up to
// four strips, as on AVX-512.
#include "kernels/cpu/attention-inl.h"
#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/inputs-inl.h"
#include "kernels/cpu/rows-inl.h"
#include "kernels/cpu/simd_scalar.h"
#include "tests/kernels/harness.h"

namespace tw::test {

const KernelTable& twin_table() {
  static constexpr KernelTable kTable = {
      .name = "twin",
      .linear = linear_kernel<F32x1, 4>,
      .attention = attention_kernel<F32x1, 4>,
      .layer_norm = layer_norm_kernel<F32x1>,
      .softmax = softmax_kernel<F32x1>,
      .l2_normalize = l2_normalize_kernel<F32x1>,
      .activation = activation_kernel<F32x1>,
      .embed = embed_kernel<F32x1>,
      .add_periodic = add_periodic_kernel<F32x1>,
      .patches_u8 = patches_u8_kernel,
      .patches_f32 = patches_f32_kernel<F32x1>,
      .similarity = similarity_kernel<F32x1>,
      .f16_to_f32 = f16_to_f32_kernel<F32x1>,
      .bf16_to_f32 = bf16_to_f32_kernel<F32x1>,
      .f32_to_bf16 = f32_to_bf16_kernel<F32x1>,
  };
  return kTable;
}

}  // namespace tw::test
