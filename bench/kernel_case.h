// One row of the table that `tuwen-bench kernels` prints.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"

namespace tw::bench {

using Values = std::vector<float>;

// What runs, how much work it is, what it must give.
struct Case {
  std::string op, shape;
  double flops = 0, bytes = 0;  // of one call; 0: not said
  std::function<void(const KernelTable&)> run;
  std::function<const Values&()> result;  // of the last run
  std::string type = "f32";               // of the arithmetic, whose peak counts
  double tolerance = 1e-4;                // largest difference from the reference table, relative to its largest value
};

// Normally distributed, the same each time.
Values random_values(int64_t count, double deviation = 1);
// [n, k], so that a product has the deviation of its x: larger ones would end in sigmoids that are denormal numbers,
// which take hundreds of cycles and do not occur in a model.
Values random_weights(int64_t n, int64_t k);

// Products, attention and quantisation in bf16 and int8.
std::vector<Case> low_precision_cases();
// Products by Strassen's algorithm.
std::vector<Case> strassen_cases();

}  // namespace tw::bench
