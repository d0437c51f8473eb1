// What a checkpoint file says about one tensor: its name, type and shape, and where its bytes are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace tw {

struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;  // empty: a scalar
};

// Element [i, j, ...] is at byte offset + (i * strides[0] + j * strides[1] + ...) * size_of(dtype) of the file.
// Readers hand out only tensors whose every element lies inside the file.
struct StoredTensor {
  TensorInfo info;
  int64_t offset = 0;            // of element [0, 0, ...], in bytes from the start of the file
  std::vector<int64_t> strides;  // in elements, never negative; empty: row-major without gaps
};

// Limits of every checkpoint format. The largest published model has 911 tensors of at most 4 dimensions.
inline constexpr int64_t kMaxTensors = 65536;
inline constexpr int64_t kMaxRank = 8;
inline constexpr int64_t kMaxNameBytes = 512;

// For messages: "[768, 3, 16, 16]" and "tensor "logit_scale"", the latter made printable.
std::string shape_text(const std::vector<int64_t>& shape);
std::string tensor_field(std::string_view name);

}  // namespace tw
