// The work of an encode, from the dimensions of a model: multiply and add count as two.
#pragma once

#include <string_view>

#include "tuwen/tuwen.h"

namespace tw::bench {

// By the type that it runs in.
struct Flops {
  double f32 = 0, bf16 = 0, int8 = 0;
  double total() const { return f32 + bf16 + int8; }
  Flops& operator+=(const Flops& other) {
    f32 += other.f32, bf16 += other.bf16, int8 += other.int8;
    return *this;
  }
};

// What the exact algebra leaves of one image, or of one text of `tokens` tokens: nothing is computed that the embedding
// does not depend on. In the last layer only the class token asks, and its keys and values are absorbed:
//   q . (Wk x_j) = (Wk^T q) . x_j       sum_j p_j Wv x_j = Wv sum_j p_j x_j
// `precision`: "f32", "bf16" or "int8", the type of the products, patch embedding included; "f16" and "fp8" count as
// bf16. Attention of bf16 and int8 models is bf16, the projection is f32 in all.
Flops image_flops(const tuwen_model_info& info, std::string_view precision);
Flops text_flops(const tuwen_model_info& info, int64_t tokens, std::string_view precision);

// Bytes of weights that one pass reads: the time floor of short texts.
double image_weight_bytes(const tuwen_model_info& info, std::string_view precision);
double text_weight_bytes(const tuwen_model_info& info, std::string_view precision);

}  // namespace tw::bench
