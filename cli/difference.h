// How far one matrix is from another: cosines of rows, and the error against the size.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tuwen_cli {

// The cosine of two vectors; 1 if both are zero, 0 if one is.
double cosine(std::span<const float> a, std::span<const float> b);

// Collects rows of a reference and of what should be equal to it.
class Difference {
 public:
  // Rows of `columns` values, back to back.
  void add(std::span<const float> exact, std::span<const float> near, size_t columns);

  double worst_cosine() const { return worst_; }
  double mean_cosine() const { return rows_ == 0 ? 1 : sum_ / static_cast<double>(rows_); }
  // |near - exact| / |exact|, all rows taken as one vector.
  double relative_error() const;

 private:
  double worst_ = 1, sum_ = 0, error_ = 0, size_ = 0;
  size_t rows_ = 0;
};

}  // namespace tuwen_cli
