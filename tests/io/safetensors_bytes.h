// Safetensors files written by the test, valid or not.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tw::test {

// A file with this header text, as it is, and this data section.
inline std::string safetensors_file(std::string_view header, std::string_view data = {}) {
  const uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(header).append(data);
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

struct TensorBytes {
  std::string name;
  std::string dtype;  // as in the header: "F32"
  std::vector<int64_t> shape;
  std::string bytes;
};

// A valid file with these tensors in this order.
inline std::string safetensors_of(const std::vector<TensorBytes>& tensors) {
  std::string header = "{";
  std::string data;
  for (const TensorBytes& t : tensors) {
    header += (header.size() > 1 ? ",\"" : "\"") + t.name + R"(":{"dtype":")" + t.dtype + R"(","shape":[)";
    for (size_t i = 0; i < t.shape.size(); ++i) header += (i == 0 ? "" : ",") + std::to_string(t.shape[i]);
    header += "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + t.bytes.size()) + "]}";
    data += t.bytes;
  }
  return safetensors_file(header + "}", data);
}

inline TensorBytes f32_tensor(std::string name, std::vector<int64_t> shape, const std::vector<float>& values) {
  return {std::move(name), "F32", std::move(shape), bytes_of(values)};
}

}  // namespace tw::test
