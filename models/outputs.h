// Named arrays that a forward pass made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/buffer.h"

namespace tw {

// In the order in which they were added. Immutable once the pass is over.
class Outputs {
 public:
  struct Array {
    std::string name;
    std::vector<int64_t> shape;
    Buffer values;  // f32, row-major; no memory if there is no element
  };

  Outputs() = default;
  // In the host's memory, but where `device` writes too; null: no device.
  explicit Outputs(const DeviceApi* device) : device_(device) {}

  // Room for an array of zeros, which stays where it is. Throws limit_exceeded or out_of_memory naming the array.
  float* add(std::string name, std::vector<int64_t> shape);

  const std::vector<Array>& arrays() const { return arrays_; }
  const Array* find(std::string_view name) const;

 private:
  const DeviceApi* device_ = nullptr;
  std::vector<Array> arrays_;
};

}  // namespace tw
