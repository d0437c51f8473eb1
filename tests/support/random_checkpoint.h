// A model directory with seeded random weights, for tests that need sizes which no committed golden has.
// The scale of the weights keeps activations in the range of trained models: see scripts/make_goldens.py, fill().
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "models/chinese_clip.h"
#include "models/config.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

namespace tw::test {

// Odd widths everywhere: heads of 13 and 80, a patch of 75 values, an MLP of 201.
inline ChineseClipConfig awkward_config() {
  ChineseClipConfig c;
  c.projection_dim = 50;
  c.text.vocab_size = 90;
  c.text.hidden_size = 52;
  c.text.num_attention_heads = 4;
  c.text.num_hidden_layers = 3;
  c.text.intermediate_size = 201;
  c.text.max_position_embeddings = 60;
  c.vision.hidden_size = 160;
  c.vision.num_attention_heads = 2;
  c.vision.num_hidden_layers = 2;
  c.vision.intermediate_size = 144;
  c.vision.image_size = 30;
  c.vision.patch_size = 5;
  return c;
}

inline std::vector<TensorBytes> random_tensors(const ChineseClipConfig& config, uint64_t seed) {
  Random random(seed);
  std::vector<TensorBytes> tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, double mean, double scale) {
    int64_t count = 1;
    for (const int64_t d : shape) count *= d;
    std::vector<float> values = random.normal_vector(count, scale);
    for (float& v : values) v += static_cast<float>(mean);
    tensors.push_back(f32_tensor(name, std::move(shape), values));
  };
  const auto matrix = [&](const std::string& name, int64_t n, int64_t k) {
    add(name + ".weight", {n, k}, 0, 1 / std::sqrt(static_cast<double>(k)));
  };
  const auto linear = [&](const std::string& name, int64_t n, int64_t k) {
    matrix(name, n, k);
    add(name + ".bias", {n}, 0, 0.3);
  };
  const auto norm = [&](const std::string& name, int64_t n) {
    add(name + ".weight", {n}, 1, 0.3);
    add(name + ".bias", {n}, 0, 0.3);
  };

  const TextConfig& t = config.text;
  const int64_t h = t.hidden_size;
  const std::string text = "text_model.embeddings.";
  add(text + "word_embeddings.weight", {t.vocab_size, h}, 0, 0.6);
  add(text + "position_embeddings.weight", {t.max_position_embeddings, h}, 0, 0.6);
  add(text + "token_type_embeddings.weight", {t.type_vocab_size, h}, 0, 0.6);
  norm(text + "LayerNorm", h);
  for (int64_t i = 0; i < t.num_hidden_layers; ++i) {
    const std::string layer = "text_model.encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"}) linear(layer + "attention.self." + part, h, h);
    linear(layer + "attention.output.dense", h, h);
    norm(layer + "attention.output.LayerNorm", h);
    linear(layer + "intermediate.dense", t.intermediate_size, h);
    linear(layer + "output.dense", h, t.intermediate_size);
    norm(layer + "output.LayerNorm", h);
  }

  const VisionConfig& v = config.vision;
  const int64_t d = v.hidden_size, patch_values = v.num_channels * v.patch_size * v.patch_size;
  const std::string image = "vision_model.embeddings.";
  add(image + "class_embedding", {d}, 0, 0.6);
  add(image + "position_embedding.weight", {v.tokens(), d}, 0, 0.6);
  add(image + "patch_embedding.weight", {d, v.num_channels, v.patch_size, v.patch_size}, 0,
      1 / std::sqrt(static_cast<double>(patch_values)));
  norm("vision_model.pre_layrnorm", d);
  for (int64_t i = 0; i < v.num_hidden_layers; ++i) {
    const std::string layer = "vision_model.encoder.layers." + std::to_string(i) + ".";
    for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"}) linear(layer + "self_attn." + part, d, d);
    norm(layer + "layer_norm1", d);
    linear(layer + "mlp.fc1", v.intermediate_size, d);
    linear(layer + "mlp.fc2", d, v.intermediate_size);
    norm(layer + "layer_norm2", d);
  }
  norm("vision_model.post_layernorm", d);
  matrix("visual_projection", config.projection_dim, d);
  matrix("text_projection", config.projection_dim, h);
  add("logit_scale", {}, 2.6592, 0);
  return tensors;
}

// model.safetensors alone: the configuration stays in the caller's hands.
inline std::filesystem::path write_random_checkpoint(const TempDir& directory, const ChineseClipConfig& config,
                                                     uint64_t seed) {
  return directory.write("model.safetensors", safetensors_of(random_tensors(config, seed)));
}

inline std::shared_ptr<const ChineseClip> load_random(const ChineseClipConfig& config, uint64_t seed,
                                                      const LoadOptions& options = {}, Towers towers = Towers::both) {
  const TempDir directory;
  return ChineseClip::load(Checkpoint::open(write_random_checkpoint(directory, config, seed)), config, options, towers);
}

}  // namespace tw::test
