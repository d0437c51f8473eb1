#include "kernels/pack.h"

#include "core/checked_math.h"

namespace tw {

int64_t PackedMatrix::bytes_for(int64_t n, int64_t k) {
  return round_up(n, kStrip) * k * static_cast<int64_t>(sizeof(float));
}

PackedMatrix::PackedMatrix(int64_t n, int64_t k, const char* purpose)
    : memory_(bytes_for(n, k), purpose), n_(n), k_(k) {}

void PackedMatrix::set_rows(int64_t first, int64_t count, const float* rows) {
  constexpr int64_t kBlock = 16;  // weights of one strip line: 16 x 16 floats stay in L1 on both sides
  float* packed = memory_.as<float>();
  for (int64_t r0 = 0; r0 < count;) {
    const int64_t n = first + r0, lane0 = n % kStrip;
    const int64_t in_strip = kStrip - lane0 < count - r0 ? kStrip - lane0 : count - r0;
    float* strip = packed + (n - lane0) * k_ + lane0;
    for (int64_t k0 = 0; k0 < k_; k0 += kBlock) {
      const int64_t k1 = k0 + kBlock < k_ ? k0 + kBlock : k_;
      for (int64_t lane = 0; lane < in_strip; ++lane) {
        const float* row = rows + (r0 + lane) * k_;
        for (int64_t k = k0; k < k1; ++k) strip[k * kStrip + lane] = row[k];
      }
    }
    r0 += in_strip;
  }
}

}  // namespace tw
