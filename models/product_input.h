// How an eight-bit product is made by what the f32 one was fed.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/ops.h"

namespace tw {

// What one product was fed: of each column of its input the largest magnitude and the mean.
class ProductInput {
 public:
  explicit ProductInput(int64_t k);
  // What another one had seen: [k] each.
  ProductInput(std::vector<float> largest, const std::vector<float>& mean);

  // One of `parts` parts of the columns of x, so that every value is made from the same rows in the same order, whoever
  // calls. Different parts may be seen at once.
  void see(Tensor x, int64_t part, int64_t parts);

  const std::vector<float>& largest() const { return largest_; }
  float mean(int64_t column) const;

 private:
  static constexpr int64_t kLine = 16;  // columns that are never parted

  std::vector<float> largest_;
  std::vector<double> sum_;
  std::vector<int64_t> rows_;  // seen, of each line
};

// The factors s [k] of SmoothQuant with equal shares: s[k] = sqrt(max|x[:, k]| / max|w[:, k]|). Xiao et al. 2023,
// arXiv:2211.10438, eq. 4. Columns that were never fed, or that no weight uses, get 1.
std::vector<float> smoothing_factors(const PackedMatrix& w, const ProductInput& input);

// What the product lacks on average once the weights are rounded as PackedInt8 does, by column of the output: the
// rounding errors times the mean input. To be added to the bias. Nagel et al. 2019, arXiv:1906.04721, section 4.2.
std::vector<float> lost_to_rounding(const PackedMatrix& w, const ProductInput& input,
                                    const std::vector<float>& factors);

}  // namespace tw
