#include "kernels/pack.h"

#include "core/checked_math.h"

namespace tw {
namespace {

int64_t depth_of(int64_t k, DType type) { return type == DType::bf16 ? bf16_depth(k) : k; }

// Turns rows of weights into lanes of strips; place(strip, k, lane, value) stores one.
template <class T, class Place>
void pack_rows(T* packed, int64_t depth, int64_t first, int64_t count, int64_t k_total, const float* rows,
               Place place) {
  constexpr int64_t kBlock = 16;  // weights of one strip line: 16 x 16 floats stay in L1 on both sides
  for (int64_t r0 = 0; r0 < count;) {
    const int64_t n = first + r0, lane0 = n % kStrip;
    const int64_t in_strip = kStrip - lane0 < count - r0 ? kStrip - lane0 : count - r0;
    T* strip = packed + (n - lane0) * depth;
    for (int64_t k0 = 0; k0 < k_total; k0 += kBlock) {
      const int64_t k1 = k0 + kBlock < k_total ? k0 + kBlock : k_total;
      for (int64_t lane = 0; lane < in_strip; ++lane) {
        const float* row = rows + (r0 + lane) * k_total;
        for (int64_t k = k0; k < k1; ++k) place(strip, k, lane0 + lane, row[k]);
      }
    }
    r0 += in_strip;
  }
}

}  // namespace

int64_t PackedMatrix::bytes_for(int64_t n, int64_t k, DType type) {
  return round_up(n, kStrip) * depth_of(k, type) * size_of(type);
}

PackedMatrix::PackedMatrix(int64_t n, int64_t k, DType type, const char* purpose)
    : memory_(bytes_for(n, k, type), purpose), type_(type), n_(n), k_(k), depth_(depth_of(k, type)) {}

void PackedMatrix::set_rows(int64_t first, int64_t count, const float* rows) {
  if (type_ == DType::bf16) {
    pack_rows(memory_.as<uint16_t>(), depth_, first, count, k_, rows,
              [](uint16_t* strip, int64_t k, int64_t lane, float value) {
                strip[(k / 2 * kStrip + lane) * 2 + k % 2] = f32_to_bf16(value);
              });
  } else {
    pack_rows(memory_.as<float>(), depth_, first, count, k_, rows,
              [](float* strip, int64_t k, int64_t lane, float value) { strip[k * kStrip + lane] = value; });
  }
}

PackedMatrix PackedMatrix::rounded() const {
  PackedMatrix result(n_, k_, DType::bf16, "weights");
  for (int64_t n0 = 0; n0 < n_; n0 += kStrip) {
    const float* from = f32_strip_at(n0);
    uint16_t* to = result.memory_.as<uint16_t>() + n0 * result.depth_;
    for (int64_t k = 0; k < k_; ++k)
      for (int64_t lane = 0; lane < kStrip; ++lane)
        to[(k / 2 * kStrip + lane) * 2 + k % 2] = f32_to_bf16(from[k * kStrip + lane]);
  }
  return result;
}

}  // namespace tw
