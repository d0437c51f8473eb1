// From the element types of checkpoint files to f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/dtype.h"

namespace tw {

// Whether convert_to_f32 reads this type: f32, f16, bf16, f64.
bool is_floating(DType dtype);

// Converts out.size() little-endian elements at `bytes` (any alignment). Exact for f32, f16 and bf16; f64 is rounded to
// nearest. `bytes` may not overlap `out`. `dtype` must be floating. Thread-safe.
void convert_to_f32(DType dtype, const std::byte* bytes, std::span<float> out);

// Index of the first NaN or infinity, -1 if all are finite. Reads one pass at memory speed.
int64_t first_non_finite(std::span<const float> values);

}  // namespace tw
