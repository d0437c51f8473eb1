#include "kernels/cpu/gemm_int8-inl.h"
#include "kernels/cpu/int8_avx512.h"
#include "kernels/kernel_table.h"

namespace tw {

// The avx512 table with eight-bit products by VNNI.
const KernelTable& avx512vnni_table() {
  static const KernelTable table = [] {
    KernelTable t = avx512_table();
    t.name = "avx512vnni";
    t.linear_int8 = linear_int8_kernel<VnniProduct512, 4>;
    return t;
  }();
  return table;
}

}  // namespace tw
