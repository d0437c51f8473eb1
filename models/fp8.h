// How an FP8 product is made of an f32 one, by what that was fed.
#pragma once

#include "models/product_input.h"

namespace tw {

// Rounds the weights to the grid of E4M3 and chooses the factor of the input; both factors are powers of two, which
// cost a number in floating point nothing as long as it is not among the smallest. Each row of weights just fits below
// 448; the input has as much room again as what was seen, for larger ones are cut there. The bias takes up what
// rounding the weights loses on average. The weights become bf16, which holds every number of that grid: so the CPU
// computes what a device does, and as_e4m3() loses nothing. Throws out_of_memory.
void make_fp8(Linear& w, const ProductInput& input);

}  // namespace tw
