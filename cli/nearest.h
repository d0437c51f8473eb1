// Exact nearest neighbours by scalar product.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cli/command.h"

namespace tuwen_cli {

// The scalar product in f32, in an order that depends on the length alone.
float dot(std::span<const float> a, std::span<const float> b);

// To length 1, computed in double. Of a vector of zeros: NaN.
void normalise(std::span<float> vector);

// Indices of the `count` largest, largest first; equal ones in ascending order.
std::vector<size_t> largest(std::span<const float> values, size_t count);

// For each query the indices of the `count` rows with the largest scalar products, ordered as largest() does, on
// `threads` threads (0: all CPUs).
std::vector<std::vector<size_t>> nearest(const tuwen::Matrix& queries, const tuwen::Matrix& rows, size_t count,
                                         int threads);

}  // namespace tuwen_cli
