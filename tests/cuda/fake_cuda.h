// A device whose kernels are CUDA's on the host shim and whose memory and streams are a fake driver's.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/cuda/host_shim/block.h"
#include "kernels/cuda/table_cuda.h"
#include "kernels/device.h"
#include "tests/support/fake_device.h"

namespace tw::test {

// Of the driver in use, which from here on records kernels as well as copies.
inline Device fake_device() {
  driver->keep_kernels = shim::keep_launches;
  return {device_handle(kFake, 1), &cuda_table()};
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    most = std::isnan(d) ? HUGE_VAL : std::max(most, d);
  }
  return most;
}

}  // namespace tw::test
