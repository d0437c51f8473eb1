// Intermediate results by name, for tests, verification and whoever looks inside a tower.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/ops.h"

namespace tw {

// A captured matrix; for text, rows are the real tokens of all texts, back to back.
struct Captured {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;  // row-major [rows, columns]
};

// Collects what the full driver of a tower passes by:
//   text.embeddings, vision.embeddings, vision.patches, vision.pre_layernorm
//   {text,vision}.layers.{i}.{queries,keys,values,context,attention,mlp,output}, vision.layers.{i}.{norm1,norm2}
//   {text,vision}.pooled, {text,image}.{features,embeds}
// `attention` and `output` are the residual stream after each half of a layer; `context` is the merged heads before the
// output projection. One encode at a time.
class Capture {
 public:
  // Empty `prefixes`: everything; else only names that begin with one of them. They are separated by spaces, and a star
  // in one stands for any characters.
  explicit Capture(std::string prefixes = {}) : prefixes_(std::move(prefixes)) {}

  const std::map<std::string, Captured>& results() const { return results_; }
  // Memory ran out: nothing is kept, and nothing more taken.
  bool out_of_memory() const { return failed_; }

 private:
  friend struct Tap;
  bool wants(std::string_view name) const;
  void keep(std::string name, Tensor value);

  std::string prefixes_;
  std::map<std::string, Captured> results_;
  bool failed_ = false;
};

// What a driver was asked to show; mostly nothing.
struct Tap {
  Capture* capture = nullptr;
  const char* tower = "";
  int64_t layer = -1;

  // A line of model code ends with this where a result is worth seeing. Costs one test when nothing is captured.
  void operator()(Exec& ex, const char* name, Tensor value) const {
    if (capture != nullptr) take(ex, name, value);
  }

 private:
  // Collective: one member copies, the others wait. Nothing is thrown: it would leave the parallel region.
  void take(Exec& ex, const char* name, Tensor value) const noexcept;
};

}  // namespace tw
