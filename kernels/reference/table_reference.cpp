#include "kernels/kernel_table.h"
#include "kernels/reference/kernels.h"

namespace tw {

const KernelTable& reference_table() {
  static constexpr KernelTable kTable = {
      .name = "reference",
      .linear = reference::linear,
      .strassen_sums = reference::strassen_sums,
      .linear_strassen = reference::linear_strassen,
      .linear_bf16 = reference::linear_bf16,
      .linear_int8 = reference::linear_int8,
      .quantize = reference::quantize,
      .round_e4m3 = reference::round_e4m3,
      .attention = reference::attention,
      .attention_full = reference::attention_full,
      .attention_bf16 = reference::attention_bf16,
      .absorb_keys = reference::absorb_keys,
      .softmax_columns = reference::softmax_columns,
      .weigh_rows = reference::weigh_rows,
      .layer_norm = reference::layer_norm,
      .softmax = reference::softmax,
      .l2_normalize = reference::l2_normalize,
      .activation = reference::activation,
      .embed = reference::embed,
      .add_periodic = reference::add_periodic,
      .patches_u8 = reference::patches_u8,
      .patches_f32 = reference::patches_f32,
      .similarity = reference::similarity,
      .f16_to_f32 = reference::f16_to_f32,
      .bf16_to_f32 = reference::bf16_to_f32,
      .f32_to_bf16 = reference::f32_to_bf16,
  };
  return kTable;
}

}  // namespace tw
