// Does every entry of a kernel table compute what kernels/kernel_table.h says? Small enough to run wherever the library
// is installed; the regression tests run it too, and prove that it notices broken kernels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"

namespace tw {

struct CheckResult {
  std::string name;  // the entry: "linear"
  bool passed;
  double worst;        // the largest error divided by what the contract permits; infinite where a result must be exact
  std::string detail;  // the first thing that was wrong; empty if nothing was
};

// Checks every entry against plain loops in double and known values: exactly on integers, within the contract's bound
// on random numbers drawn from `seed`; rows lie apart and misaligned with NaN around them, so that reading or writing
// outside shows. The CPU must be able to run the table. Well below a second on any of them; safe to call concurrently.
// Throws std::bad_alloc.
std::vector<CheckResult> check_table(const KernelTable& table, uint64_t seed);

}  // namespace tw
