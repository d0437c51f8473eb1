// Small models, inputs for both towers, and how far results lie apart.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <vector>

#include "models/session.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

namespace tw::test {

// Small enough for the shim.
inline ChineseClipConfig small_awkward_config() {
  ChineseClipConfig c = awkward_config();
  c.text.num_hidden_layers = 2;
  c.text.max_position_embeddings = 40;
  c.vision.patch_size = 10;
  return c;
}

// Smaller still, for what is run hundreds of times.
inline ChineseClipConfig tiny_config() {
  ChineseClipConfig c = awkward_config();
  c.projection_dim = 12;
  c.text.vocab_size = 20;
  c.text.hidden_size = 16;
  c.text.num_attention_heads = 2;
  c.text.num_hidden_layers = 1;
  c.text.intermediate_size = 20;
  c.text.max_position_embeddings = 36;
  c.vision.hidden_size = 16;
  c.vision.num_attention_heads = 2;
  c.vision.num_hidden_layers = 1;
  c.vision.intermediate_size = 20;
  c.vision.image_size = 8;
  c.vision.patch_size = 4;
  return c;
}

inline std::shared_ptr<const ChineseClip> load(const ChineseClipConfig& config, Precision precision = Precision::f32,
                                               Plan plan = Plan::exact) {
  return load_random(config, 41, {.precision = precision, .plan = plan});
}

struct Inputs {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0, 1, 35, 52};
  std::vector<uint8_t> bytes;  // two images
  std::vector<float> values, table;

  explicit Inputs(const ChineseClipConfig& config) {
    Random random(5);
    while (std::ssize(ids) < offsets.back())
      ids.push_back(static_cast<int32_t>(random.integer(0, config.text.vocab_size - 1)));
    for (int64_t i = 0; i < 2 * config.vision.image_size * config.vision.image_size * 3; ++i)
      bytes.push_back(static_cast<uint8_t>(random.integer(0, 255)));
    values = random.uniform_vector(std::ssize(bytes), -1.8, 2.2);
    table = random.uniform_vector(3 * 256, -1.8, 2.2);
  }
  TextBatch texts() const { return {ids, offsets, {}, {}}; }
  ImageBatch byte_images() const { return {bytes.data(), true, table.data(), 2}; }
  ImageBatch images() const { return {values.data(), false, nullptr, 2}; }
};

// Embeddings of texts, of byte pixels and of f32 pixels, one behind the other.
inline std::vector<float> encode_all(Session& session, const Inputs& in, const EmbedOptions& options = {}) {
  const auto width = static_cast<size_t>(session.model().embedding_width());
  std::vector<float> out(7 * width);
  session.encode_texts(in.texts(), std::span(out).first(3 * width), options);
  session.encode_images(in.byte_images(), std::span(out).subspan(3 * width, 2 * width), options);
  session.encode_images(in.images(), std::span(out).last(2 * width), options);
  return out;
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
