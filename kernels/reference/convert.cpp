#include "core/dtype.h"
#include "kernels/reference/kernels.h"

namespace tw::reference {

void f16_to_f32(const ConvertArgs& p) {
  for (int64_t i = 0; i < p.count; ++i)
    static_cast<float*>(p.to)[i] = tw::f16_to_f32(static_cast<const uint16_t*>(p.from)[i]);
}

void bf16_to_f32(const ConvertArgs& p) {
  for (int64_t i = 0; i < p.count; ++i)
    static_cast<float*>(p.to)[i] = tw::bf16_to_f32(static_cast<const uint16_t*>(p.from)[i]);
}

void f32_to_bf16(const ConvertArgs& p) {
  for (int64_t i = 0; i < p.count; ++i)
    static_cast<uint16_t*>(p.to)[i] = tw::f32_to_bf16(static_cast<const float*>(p.from)[i]);
}

}  // namespace tw::reference
