#include "kernels/cuda/table_cuda.h"

#include "kernels/cuda/kernels.h"

namespace tw {

const DeviceTable& cuda_table() {
  static constexpr DeviceTable kTable = {
      .name = "cuda",
      .linear = cuda::linear,
      .linear_narrow = cuda::linear_narrow,
      .attention = cuda::attention,
      .attention_half = cuda::attention_half,
      .layer_norm = cuda::layer_norm,
      .softmax = cuda::softmax,
      .l2_normalize = cuda::l2_normalize,
      .activation = cuda::activation,
      .embed = cuda::embed,
      .add_periodic = cuda::add_periodic,
      .patches_u8 = cuda::patches_u8,
      .patches_f32 = cuda::patches_f32,
      .resize = cuda::resize,
      .gather_rows = cuda::gather_rows,
      .clear = cuda::clear,
      .store_heads = cuda::store_heads,
      .similarity = cuda::similarity,
      .f16_to_f32 = cuda::f16_to_f32,
      .bf16_to_f32 = cuda::bf16_to_f32,
      .f32_to_bf16 = cuda::f32_to_bf16,
      .f32_to_f16 = cuda::f32_to_f16,
  };
  return kTable;
}

}  // namespace tw
