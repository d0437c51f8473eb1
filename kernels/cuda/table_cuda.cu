#include "kernels/cuda/table_cuda.h"

#include "kernels/cuda/kernels.h"

namespace tw {
namespace {

// An operation as an entry of a table whose kernels begin early or in turn.
template <bool kEarly, auto kOperation, class Args>
void entry(DeviceStream stream, const Args& args) {
  kOperation({stream, kEarly}, args);
}

template <bool kEarly>
constexpr DeviceTable table() {
  return {
      .name = kEarly ? "cuda, early launch" : "cuda",
      .weights_in_tiles = false,
      .linear = entry<kEarly, cuda::linear>,
      .linear_narrow = entry<kEarly, cuda::linear_narrow>,
      .attention = entry<kEarly, cuda::attention>,
      .attention_half = entry<kEarly, cuda::attention_half>,
      .layer_norm = entry<kEarly, cuda::layer_norm>,
      .softmax = entry<kEarly, cuda::softmax>,
      .l2_normalize = entry<kEarly, cuda::l2_normalize>,
      .activation = entry<kEarly, cuda::activation>,
      .activate = entry<kEarly, cuda::activate_rows>,
      .compare_rows = entry<kEarly, cuda::compare_rows>,
      .embed = entry<kEarly, cuda::embed>,
      .add_periodic = entry<kEarly, cuda::add_periodic>,
      .patches_u8 = entry<kEarly, cuda::patches_u8>,
      .patches_f32 = entry<kEarly, cuda::patches_f32>,
      .resize = entry<kEarly, cuda::resize>,
      .gather_rows = entry<kEarly, cuda::gather_rows>,
      .clear = entry<kEarly, cuda::clear>,
      .store_heads = entry<kEarly, cuda::store_heads>,
      .similarity = entry<kEarly, cuda::similarity>,
      .f16_to_f32 = entry<kEarly, cuda::f16_to_f32>,
      .bf16_to_f32 = entry<kEarly, cuda::bf16_to_f32>,
      .f32_to_bf16 = entry<kEarly, cuda::f32_to_bf16>,
      .f32_to_f16 = entry<kEarly, cuda::f32_to_f16>,
  };
}

template <bool kEarly>
constexpr DeviceTable table_sm90() {
  DeviceTable t = table<kEarly>();
  t.name = kEarly ? "cuda sm_90a, early launch" : "cuda sm_90a";
  t.weights_in_tiles = true;
  t.linear_narrow = entry<kEarly, cuda::linear_sm90>;
  return t;
}

constexpr DeviceTable kTable = table<false>(), kTableEarly = table<true>();
constexpr DeviceTable kTableSm90 = table_sm90<false>(), kTableSm90Early = table_sm90<true>();

}  // namespace

const DeviceTable& cuda_table(KernelsBegin begin) { return begin == KernelsBegin::early ? kTableEarly : kTable; }
const DeviceTable& cuda_table_sm90(KernelsBegin begin) {
  return begin == KernelsBegin::early ? kTableSm90Early : kTableSm90;
}

}  // namespace tw
