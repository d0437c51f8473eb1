// From a loaded f32 model to an eight-bit or FP8 one.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "models/chinese_clip.h"
#include "models/product_input.h"

namespace tw {

// What goes through a model to see what its products are fed. Of pictures or texts that are not there a built-in set is
// taken.
struct CalibrationInputs {
  int64_t images = 0;
  std::function<void(int64_t index, std::span<float> out)> image;  // writes pixel values [C, S, S]
  std::vector<int32_t> ids;                                        // of all texts, back to back
  std::vector<int64_t> offsets = {0};                              // [texts + 1]
  int32_t cls_id = -1, sep_id = -1;                                // around built-in texts; -1: not known

  int64_t texts() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

// What the products of a model were fed while a few inputs went through it.
class Calibration {
 public:
  // The model is in f32 and may hold one tower. Built in are pictures of smooth shapes, edges and noise, and texts of
  // ids spread over the vocabulary. The result does not depend on the number of threads. Throws what encoding throws.
  static Calibration run(const ChineseClip& model, const CalibrationInputs& inputs, int threads);

  // Of a product of the blocks.
  const ProductInput& input_of(const Linear& w) const { return inputs_.at(&w); }
  void set(const Linear& w, ProductInput input) { inputs_.insert_or_assign(&w, std::move(input)); }

 private:
  std::map<const Linear*, ProductInput> inputs_;
};

}  // namespace tw
