// Reads the goldens that scripts/make_goldens.py wrote: tests/data/models/<name>/goldens.safetensors.
#pragma once

#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/safetensors.h"

namespace tw::test {

template <class T>
struct GoldenArray {
  std::vector<int64_t> shape;
  std::vector<T> values;
  int64_t dim(size_t i) const { return shape.at(i); }
  // Values per entry of the last dimension's rows: rows() * columns() == values.size().
  int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const { return columns() == 0 ? 0 : static_cast<int64_t>(values.size()) / columns(); }
};

class Goldens {
 public:
  explicit Goldens(const std::filesystem::path& file) : file_(File::open(file)) {
    for (StoredTensor& t : read_safetensors_header(file_).tensors) tensors_.emplace(t.info.name, std::move(t));
  }

  bool has(const std::string& name) const { return tensors_.contains(name); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, tensor] : tensors_) all.push_back(name);
    return all;
  }

  GoldenArray<float> f32(const std::string& name) const { return read<float>(name, DType::f32); }
  GoldenArray<double> f64(const std::string& name) const { return read<double>(name, DType::f64); }
  GoldenArray<int64_t> i64(const std::string& name) const { return read<int64_t>(name, DType::i64); }

 private:
  template <class T>
  GoldenArray<T> read(const std::string& name, DType dtype) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw std::invalid_argument("no golden " + name);
    const StoredTensor& stored = found->second;
    if (stored.info.dtype != dtype) throw std::invalid_argument("golden " + name + " has another type");
    GoldenArray<T> array;
    array.shape = stored.info.shape;
    int64_t count = 1;
    for (const int64_t d : array.shape) count *= d;
    array.values.resize(static_cast<size_t>(count));
    file_.read_at(stored.offset, std::as_writable_bytes(std::span(array.values)));
    return array;
  }

  File file_;
  std::map<std::string, StoredTensor> tensors_;
};

}  // namespace tw::test
