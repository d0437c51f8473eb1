#include "models/outputs.h"

#include <algorithm>
#include <utility>

#include "core/checked_math.h"
#include "core/dtype.h"
#include "core/error.h"
#include "io/stored_tensor.h"

namespace tw {

float* Outputs::add(std::string name, std::vector<int64_t> shape) {
  constexpr int64_t kMostFloats = int64_t{1} << 40;
  const std::optional<int64_t> count = checked_product(shape);
  if (!count || *count > kMostFloats)
    throw Error(ErrorCode::limit_exceeded, {.field = "outputs: " + name, .found = shape_text(shape)});
  const int64_t bytes = *count * size_of(DType::f32);
  Buffer values = device_ == nullptr ? Buffer(bytes, name.c_str()) : Buffer::mapped(*device_, bytes, name.c_str());
  float* data = values.as<float>();
  if (device_ != nullptr) std::fill_n(data, *count, 0.0f);
  arrays_.push_back({std::move(name), std::move(shape), std::move(values)});
  return data;
}

const Outputs::Array* Outputs::find(std::string_view name) const {
  for (const Array& array : arrays_)
    if (array.name == name) return &array;
  return nullptr;
}

}  // namespace tw
