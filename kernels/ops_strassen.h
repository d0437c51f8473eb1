// A product by Strassen's algorithm: for ops*.cpp alone.
#pragma once

#include "kernels/ops.h"

namespace tw {

// linear() where Linear::strassen has the weights; `w` comes from Linear::of_items().
void product_strassen(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output);

}  // namespace tw
