// What scripts/make_goldens.py --model wrote: inputs and results of the reference, as tensors of a safetensors file.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/stored_tensor.h"

namespace tw {

// Immutable after opening. Every function throws missing_tensor or shape_mismatch, naming file and tensor, if a tensor
// is not what it has to be, and what reading throws.
class GoldenFile {
 public:
  explicit GoldenFile(const std::string& path);

  bool has(const std::string& name) const { return tensors_.contains(name); }
  // `rank` dimensions.
  const std::vector<int64_t>& shape(const std::string& name, size_t rank) const;
  std::vector<float> f32(const std::string& name) const;
  std::vector<double> f64(const std::string& name) const;
  std::vector<int64_t> i64(const std::string& name) const;
  // The items of a tensor of bytes, `name`, that begin where `name`.begin says.
  std::vector<std::string> items(const std::string& name) const;

 private:
  template <class T>
  std::vector<T> read(const std::string& name, DType dtype) const;
  const StoredTensor& find(const std::string& name) const;
  [[noreturn]] void fail(const std::string& name, const std::string& expected, const std::string& found) const;

  File file_;
  std::map<std::string, StoredTensor> tensors_;
};

}  // namespace tw
