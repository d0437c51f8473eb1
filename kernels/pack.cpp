#include "kernels/pack.h"

#include <cstring>
#include <utility>

#include "core/checked_math.h"

namespace tw {
namespace {

constexpr int64_t kQuad = 4;
static_assert(kStrip % kQuad == 0);

// Four floats, in whatever vectors the compiler has for every CPU.
typedef float Quad __attribute__((vector_size(16)));

Quad load(const float* p) {
  Quad q;
  std::memcpy(&q, p, sizeof q);
  return q;
}

void store(float* p, Quad q) { std::memcpy(p, &q, sizeof q); }

// strip[k, r] = rows[r, k] for four rows and four k.
void transpose_quads(const float* rows, int64_t stride, float* strip) {
  const Quad a = load(rows), b = load(rows + stride), c = load(rows + 2 * stride), d = load(rows + 3 * stride);
  const Quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(strip, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  store(strip + kStrip, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  store(strip + 2 * kStrip, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  store(strip + 3 * kStrip, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

// The first `k` columns of a whole strip, a multiple of four.
void transpose_strip(const float* rows, int64_t stride, int64_t k, float* strip) {
  constexpr int64_t kLine = 16;  // floats: a cache line of a row is used up before the next row's, for rows may collide
  for (int64_t k0 = 0; k0 < k; k0 += kLine) {
    const int64_t k1 = k0 + kLine < k ? k0 + kLine : k;
    for (int64_t r = 0; r < kStrip; r += kQuad)
      for (int64_t i = k0; i < k1; i += kQuad) transpose_quads(rows + r * stride + i, stride, strip + i * kStrip + r);
  }
}

// The same for a type of two bytes: a piece of 16 rows is rounded into pairs, and pairs are turned as floats are.
template <uint16_t (*round)(float)>
void round_strip(const float* rows, int64_t stride, int64_t k, uint16_t* strip) {
  constexpr int64_t kLine = 32;
  for (int64_t k0 = 0; k0 < k; k0 += kLine) {
    float pairs[kStrip * kStrip];
    for (int64_t r = 0; r < kStrip; ++r) {
      uint16_t rounded[kLine] = {};
      for (int64_t i = 0; i < kLine && k0 + i < k; ++i) rounded[i] = round(rows[r * stride + k0 + i]);
      std::memcpy(pairs + r * kStrip, rounded, sizeof rounded);
    }
    float lines[kStrip * kStrip];
    transpose_strip(pairs, kStrip, kStrip, lines);
    std::memcpy(strip + k0 * kStrip, lines, sizeof lines);
  }
}

int64_t depth_of(int64_t k, DType type) {
  return type == DType::f32 ? k : round_up(k * size_of(type), kDepthBytes) / size_of(type);
}

// Where a weight is in a strip of bf16 or f16.
int64_t half_at(int64_t k, int64_t lane) { return (k / 2 * kStrip + lane) * 2 + k % 2; }

}  // namespace

int64_t PackedMatrix::bytes_for(int64_t n, int64_t k, DType type) {
  return round_up(n, kStrip) * depth_of(k, type) * size_of(type);
}

PackedMatrix::PackedMatrix(int64_t n, int64_t k, DType type, const char* purpose)
    : memory_(bytes_for(n, k, type), purpose), type_(type), n_(n), k_(k), depth_(depth_of(k, type)) {}

void PackedMatrix::set_rows(int64_t first, int64_t count, const float* rows) {
  for (int64_t r0 = 0; r0 < count;) {
    const int64_t n = first + r0, lane0 = n % kStrip;
    const int64_t in_strip = kStrip - lane0 < count - r0 ? kStrip - lane0 : count - r0;
    const float* in = rows + r0 * k_;
    if (type_ != DType::f32) {
      const bool bf16 = type_ == DType::bf16;
      uint16_t* strip = memory_.as<uint16_t>() + (n - lane0) * depth_;
      if (in_strip == kStrip) {
        (bf16 ? round_strip<f32_to_bf16> : round_strip<f32_to_f16>)(in, k_, k_, strip);
      } else {
        const auto round = bf16 ? f32_to_bf16 : f32_to_f16;
        for (int64_t lane = 0; lane < in_strip; ++lane)
          for (int64_t k = 0; k < k_; ++k) strip[half_at(k, lane0 + lane)] = round(in[lane * k_ + k]);
      }
    } else {
      float* strip = memory_.as<float>() + (n - lane0) * k_ + lane0;
      int64_t done = 0;  // of k
      if (in_strip == kStrip) {
        done = k_ / kQuad * kQuad;
        transpose_strip(in, k_, done, strip);
      }
      for (int64_t lane = 0; lane < in_strip; ++lane)
        for (int64_t k = done; k < k_; ++k) strip[k * kStrip + lane] = in[lane * k_ + k];
    }
    r0 += in_strip;
  }
}

PackedMatrix PackedMatrix::moved_to(Buffer memory) const {
  PackedMatrix m;
  m.memory_ = std::move(memory);
  m.type_ = type_;
  m.n_ = n_;
  m.k_ = k_;
  m.depth_ = depth_;
  m.in_tiles_ = in_tiles_;
  return m;
}

template <class Round>
PackedMatrix PackedMatrix::rounded_by(Round round) const {
  PackedMatrix result(n_, k_, DType::bf16, "weights");
  for (int64_t n0 = 0; n0 < n_; n0 += kStrip) {
    const float* from = f32_strip_at(n0);
    uint16_t* to = result.memory_.as<uint16_t>() + n0 * result.depth_;
    for (int64_t k = 0; k < k_; ++k)
      for (int64_t lane = 0; lane < kStrip; ++lane)
        to[half_at(k, lane)] = f32_to_bf16(round(from[k * kStrip + lane], n0 + lane));
  }
  return result;
}

PackedMatrix PackedMatrix::rounded() const {
  return rounded_by([](float w, int64_t) { return w; });
}

PackedMatrix PackedMatrix::rounded_to_e4m3(const float* factors) const {
  return rounded_by([=](float w, int64_t n) { return e4m3_to_f32(f32_to_e4m3(w * factors[n])) / factors[n]; });
}

PackedMatrix PackedMatrix::as_e4m3(const float* factors) const {
  constexpr int64_t kGroup = 4;
  PackedMatrix result(n_, k_, DType::e4m3, "weights");
  for (int64_t n0 = 0; n0 < n_; n0 += kStrip) {
    const uint16_t* from = memory_.as<uint16_t>() + n0 * depth_;
    uint8_t* to = result.memory_.as<uint8_t>() + n0 * result.depth_;
    for (int64_t k = 0; k < k_; ++k)
      for (int64_t lane = 0; lane < kStrip; ++lane)
        to[(k / kGroup * kStrip + lane) * kGroup + k % kGroup] =
            f32_to_e4m3(bf16_to_f32(from[half_at(k, lane)]) * factors[n0 + lane]);
  }
  return result;
}

// Either layout is of words of four bytes of k.
PackedMatrix PackedMatrix::as_tiles() const {
  constexpr int64_t kWord = 4, kTileWords = kTileDepthBytes / kWord;
  const int64_t words = depth_ * size_of(type_) / kWord, tiles = ceil_div(words, kTileWords);
  PackedMatrix result;
  result.memory_ = Buffer(ceil_div(n_, int64_t{kTileColumns}) * tiles * kTileBytes, "weights");
  result.type_ = type_;
  result.n_ = n_;
  result.k_ = k_;
  result.depth_ = tiles * kTileDepthBytes / size_of(type_);
  result.in_tiles_ = true;
  for (int64_t n0 = 0; n0 < n_; n0 += kStrip) {
    const auto* from = static_cast<const uint32_t*>(strip_at(n0));
    std::byte* row_of_tiles = result.memory_.data() + n0 / kTileColumns * tiles * kTileBytes;
    for (int64_t w = 0; w < words; ++w) {
      std::byte* tile = row_of_tiles + w / kTileWords * kTileBytes;
      for (int64_t lane = 0; lane < kStrip; ++lane) {
        const int line = line_of_column(static_cast<int>(n0 % kTileColumns + lane));
        std::memcpy(tile + swizzled(line, static_cast<int>(w % kTileWords * kWord)), from + w * kStrip + lane, kWord);
      }
    }
  }
  return result;
}

PackedMatrix PackedMatrix::as_rows() const {
  PackedMatrix result;
  result.memory_ = Buffer(n_ * depth_ * size_of(type_), "weights");
  result.type_ = type_;
  result.n_ = n_;
  result.k_ = k_;
  result.depth_ = depth_;
  constexpr int64_t kPair = 2;
  for (int64_t n0 = 0; n0 < n_; n0 += kStrip) {
    const auto* from = static_cast<const uint32_t*>(strip_at(n0));
    auto* to = result.memory_.as<uint32_t>() + n0 * depth_ / kPair;
    const int64_t lanes = kStrip < n_ - n0 ? kStrip : n_ - n0;
    for (int64_t w = 0; w < depth_ / kPair; ++w)
      for (int64_t lane = 0; lane < lanes; ++lane) to[lane * depth_ / kPair + w] = from[w * kStrip + lane];
  }
  return result;
}

}  // namespace tw
