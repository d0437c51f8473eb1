// From a loaded f32 model to an eight-bit one.
#pragma once

#include <map>
#include <vector>

#include "models/chinese_clip.h"

namespace tw {

// What the products of a model were fed while a few inputs went through it: the largest magnitude of each column.
class Calibration {
 public:
  // Runs the built-in set: pictures of smooth shapes, edges and noise, texts of ids spread over the vocabulary. The
  // model is in f32 and may hold one tower.
  static Calibration run(const ChineseClip& model, int threads);

  // The factors s [k] of SmoothQuant with equal shares: s[k] = sqrt(max|x[:, k]| / max|w[:, k]|). Xiao et al. 2023,
  // arXiv:2211.10438, eq. 4. Columns that were never fed, or that no weight uses, get 1.
  std::vector<float> smoothing(const Linear& w) const;

 private:
  std::map<const Linear*, std::vector<float>> largest_;
};

}  // namespace tw
