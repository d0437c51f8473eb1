#include "kernels/cuda/table_cuda.h"

#include "kernels/cuda/kernels.h"

namespace tw {
namespace {

constexpr DeviceTable table() {
  return {
      .name = "cuda",
      .weights_in_tiles = false,
      .linear = cuda::linear,
      .linear_narrow = cuda::linear_narrow,
      .attention = cuda::attention,
      .attention_half = cuda::attention_half,
      .layer_norm = cuda::layer_norm,
      .softmax = cuda::softmax,
      .l2_normalize = cuda::l2_normalize,
      .activation = cuda::activation,
      .activate = cuda::activate_rows,
      .compare_rows = cuda::compare_rows,
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
}

constexpr DeviceTable table_sm90() {
  DeviceTable t = table();
  t.name = "cuda sm_90a";
  t.weights_in_tiles = true;
  t.linear_narrow = cuda::linear_sm90;
  return t;
}

constexpr DeviceTable kTable = table(), kTableSm90 = table_sm90();

}  // namespace

const DeviceTable& cuda_table() { return kTable; }
const DeviceTable& cuda_table_sm90() { return kTableSm90; }

}  // namespace tw
