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
void draw(const VisionConfig& c, uint64_t seed, std::span<float> values) {
  Noise noise(seed);
  const int64_t size = c.image_size;
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
}

// Texts of ids from all over the vocabulary, of 8 to 53 tokens.
void add_texts(CalibrationInputs& inputs, const TextConfig& c) {
  const bool framed = inputs.cls_id >= 0 && inputs.sep_id >= 0;
  for (int64_t i = 0; i < kTexts; ++i) {
    Noise noise(static_cast<uint64_t>(i) + 100);
    const int64_t length = std::min<int64_t>(c.max_position_embeddings, 8 + 3 * i);
    for (int64_t t = 0; t < length; ++t)
      inputs.ids.push_back(static_cast<int32_t>(noise.next() % static_cast<uint64_t>(c.vocab_size)));
    if (framed && length > 1) {
      inputs.ids[static_cast<size_t>(inputs.offsets.back())] = inputs.cls_id;
      inputs.ids.back() = inputs.sep_id;
    }
    inputs.offsets.push_back(static_cast<int64_t>(inputs.ids.size()));
  }
}

}  // namespace

Calibration Calibration::run(const ChineseClip& model, const CalibrationInputs& inputs, int threads) {
  Calibration calibration;
  const ProductObserver observer{[](void* self, const Linear& w, Tensor x, int64_t part, int64_t parts) {
                                   auto& products = static_cast<Calibration*>(self)->inputs_;
                                   const auto found = products.find(&w);
                                   if (found != products.end()) found->second.see(x, part, parts);  // else it stays f32
                                 },
                                 &calibration};
  model.for_each_linear([&](const Linear& w) { calibration.inputs_.emplace(&w, w.weights.k()); });

  // The session borrows the model, which outlives it.
  Session session(std::shared_ptr<const ChineseClip>(std::shared_ptr<void>(), &model), {.threads = threads});
  const EmbedOptions options{.observer = &observer};
  const auto width = static_cast<size_t>(model.embedding_width());
  if (model.vision() != nullptr) {
    const VisionConfig& c = model.vision()->config();
    std::vector<float> pixels(static_cast<size_t>(c.num_channels * c.image_size * c.image_size)), embedding(width);
    for (int64_t i = 0; i < (inputs.images > 0 ? inputs.images : kPictures); ++i) {
      if (inputs.images > 0) {
        inputs.image(i, pixels);
      } else {
        draw(c, static_cast<uint64_t>(i) + 1, pixels);
      }
      session.encode_images({.pixels = pixels.data(), .u8 = false, .table = nullptr, .count = 1}, embedding, options);
    }
  }
  if (model.text() != nullptr) {
    CalibrationInputs built_in;
    built_in.cls_id = inputs.cls_id;
    built_in.sep_id = inputs.sep_id;
    if (inputs.texts() == 0) add_texts(built_in, model.text()->config());
    const CalibrationInputs& texts = inputs.texts() > 0 ? inputs : built_in;
    std::vector<float> embeddings(static_cast<size_t>(texts.texts()) * width);
    session.encode_texts({texts.ids, texts.offsets, {}, {}}, embeddings, options);
  }
  return calibration;
}

}  // namespace tw
