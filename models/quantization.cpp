#include "models/quantization.h"

#include <algorithm>
#include <cmath>

#include "models/session.h"

namespace tw {
namespace {

// A small generator of our own, so that calibration gives the same model everywhere.
class Noise {
 public:
  explicit Noise(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  float unit() { return static_cast<float>(next() >> 40) * 0x1p-24f; }  // [0, 1)

 private:
  uint64_t state_;
};

constexpr int64_t kPictures = 4, kTexts = 16;

// Pixel values as normalised pictures have them, about -1.8 to 2.2: waves from coarse to fine, an edge, noise.
std::vector<float> picture(const VisionConfig& c, uint64_t seed) {
  Noise noise(seed);
  const int64_t size = c.image_size;
  std::vector<float> values(static_cast<size_t>(c.num_channels * size * size));
  float* out = values.data();
  for (int64_t channel = 0; channel < c.num_channels; ++channel) {
    float waves[6][4];
    for (int w = 0; w < 6; ++w) {
      const float frequency = std::ldexp(6.2831853f / static_cast<float>(size), w);
      waves[w][0] = frequency * (noise.unit() - 0.5f);
      waves[w][1] = frequency * (noise.unit() - 0.5f);
      waves[w][2] = noise.unit() * 6.28f;
      waves[w][3] = 0.9f / static_cast<float>(w + 1);
    }
    const float level = noise.unit() - 0.4f, slope = noise.unit() - 0.5f, step = noise.unit();
    for (int64_t y = 0; y < size; ++y) {
      for (int64_t x = 0; x < size; ++x) {
        const auto fx = static_cast<float>(x), fy = static_cast<float>(y);
        float v = level + (fx + slope * fy > 0.5f * static_cast<float>(size) ? step : -step);
        for (const auto& w : waves) v += w[3] * std::sin(w[0] * fx + w[1] * fy + w[2]);
        *out++ = std::clamp(v + 0.2f * (noise.unit() - 0.5f), -1.8f, 2.2f);
      }
    }
  }
  return values;
}

}  // namespace

Calibration Calibration::run(const ChineseClip& model, int threads) {
  Calibration calibration;
  const ProductObserver observer{[](void* self, const Linear& w, Tensor x) {
                                   const auto found = static_cast<Calibration*>(self)->largest_.find(&w);
                                   if (found == static_cast<Calibration*>(self)->largest_.end()) return;  // stays f32
                                   std::vector<float>& largest = found->second;
                                   for (int64_t r = 0; r < x.rows; ++r)
                                     for (int64_t c = 0; c < x.columns; ++c)
                                       largest[static_cast<size_t>(c)] =
                                           std::max(largest[static_cast<size_t>(c)], std::fabs(x.f32_row(r)[c]));
                                 },
                                 &calibration};
  model.for_each_linear([&](const Linear& w) { calibration.largest_[&w].resize(static_cast<size_t>(w.weights.k())); });

  // The session borrows the model, which outlives it.
  Session session(std::shared_ptr<const ChineseClip>(std::shared_ptr<void>(), &model), {.threads = threads});
  std::vector<float> embedding(static_cast<size_t>(model.embedding_width()));
  const EmbedOptions options{.observer = &observer};
  for (int64_t i = 0; model.vision() != nullptr && i < kPictures; ++i) {
    const std::vector<float> pixels = picture(model.vision()->config(), static_cast<uint64_t>(i) + 1);
    session.encode_images({.pixels = pixels.data(), .u8 = false, .table = nullptr, .count = 1}, embedding, options);
  }
  for (int64_t i = 0; model.text() != nullptr && i < kTexts; ++i) {
    const TextConfig& c = model.text()->config();
    Noise noise(static_cast<uint64_t>(i) + 100);
    const int64_t length = std::min<int64_t>(c.max_position_embeddings, 6 + 3 * i);
    std::vector<int32_t> ids(static_cast<size_t>(length));
    for (int32_t& id : ids) id = static_cast<int32_t>(noise.next() % static_cast<uint64_t>(c.vocab_size));
    const std::vector<int64_t> offsets = {0, length};
    session.encode_texts({ids, offsets, {}, {}}, embedding, options);
  }
  return calibration;
}

std::vector<float> Calibration::smoothing(const Linear& w) const {
  const std::vector<float>& fed = largest_.at(&w);
  const int64_t k = w.weights.k();
  std::vector<float> factors(static_cast<size_t>(k), 1.0f);
  for (int64_t i = 0; i < k; ++i) {
    float used = 0;
    for (int64_t n0 = 0; n0 < w.weights.n(); n0 += kStrip)
      for (int64_t lane = 0; lane < kStrip; ++lane)
        used = std::max(used, std::fabs(w.weights.f32_strip_at(n0)[i * kStrip + lane]));
    const float x = fed[static_cast<size_t>(i)];
    if (x > 0 && used > 0) factors[static_cast<size_t>(i)] = std::clamp(std::sqrt(x / used), 1e-3f, 1e3f);
  }
  return factors;
}

}  // namespace tw
