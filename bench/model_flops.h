// The work of an encode, from the dimensions of a model: multiply and add count as two.
#pragma once

#include "tuwen/tuwen.h"

namespace tw::bench {

// What the exact algebra leaves of one image, or of one text of `tokens` tokens: nothing is computed that the embedding
// does not depend on. In the last layer only the class token asks, and its keys and values are absorbed:
//   q . (Wk x_j) = (Wk^T q) . x_j       sum_j p_j Wv x_j = Wv sum_j p_j x_j
// Divided by the measured peak this is the floor that times are held against.
double image_flops(const tuwen_model_info& info);
double text_flops(const tuwen_model_info& info, int64_t tokens);

// Bytes of weights that one pass reads: the time floor of short texts.
double image_weight_bytes(const tuwen_model_info& info);
double text_weight_bytes(const tuwen_model_info& info);

}  // namespace tw::bench
