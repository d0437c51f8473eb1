#include <cmath>

#include "kernels/reference/kernels.h"

namespace tw::reference {

void attention(const AttentionArgs& p) {
  float* probability = p.scratch;  // [keys]
  for (int64_t i = 0; i < p.queries; ++i) {
    const float* q = p.q + i * p.q_stride;
    double largest = -HUGE_VAL, sum = 0;
    const auto score = [&](int64_t j) {
      double s = 0;
      for (int64_t c = 0; c < p.width; ++c)
        s += static_cast<double>(q[c]) * static_cast<double>(p.k[j * p.k_stride + c]);
      return s * static_cast<double>(p.scale);
    };
    for (int64_t j = 0; j < p.keys; ++j) largest = std::fmax(largest, score(j));
    for (int64_t j = 0; j < p.keys; ++j) {
      const double e = std::exp(score(j) - largest);
      sum += e;
      probability[j] = static_cast<float>(e);
    }
    for (int64_t c = 0; c < p.width; ++c) {
      double out = 0;
      for (int64_t j = 0; j < p.keys; ++j)
        out += static_cast<double>(probability[j]) * static_cast<double>(p.v[j * p.v_stride + c]);
      p.out[i * p.out_stride + c] = static_cast<float>(out / sum);
    }
  }
}

}  // namespace tw::reference
