#include "io/stored_tensor.h"

#include "core/error.h"

namespace tw {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

std::string tensor_field(std::string_view name) { return "tensor \"" + printable(name) + "\""; }

}  // namespace tw
