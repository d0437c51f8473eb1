// A decoder, a call of it with everything that a call can have, and outputs side by side.
#pragma once

#include <numeric>

#include "models/checkpoint_edit.h"
#include "tests/cuda/tower_cases.h"

namespace tw::test {

inline std::shared_ptr<const ChineseClip> random_model(const std::string& json) {
  const ChineseClipConfig config = parse_config(json, "test");
  return ChineseClip::load(*random_checkpoint(json, {.seed = 3}).tensors, config, {});
}

// A decoder that looks at an encoder, with relative positions.
inline const char* const kDecoder = R"({"model_type": "chinese_clip_text_model", "vocab_size": 20, "hidden_size": 24,
  "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20, "max_position_embeddings": 12,
  "is_decoder": true, "add_cross_attention": true, "position_embedding_type": "relative_key_query",
  "initializer_range": 0.3})";

inline Given<float> given(const std::vector<float>& values, std::vector<int64_t> shape) {
  Given<float> g;
  g.data = values.data();
  for (const int64_t d : shape) g.shape[g.rank++] = d;
  REQUIRE(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()) == std::ssize(values));
  return g;
}

inline Given<float> given(const Outputs::Array& array) {
  Given<float> g;
  g.data = array.values.as<float>();
  for (const int64_t d : array.shape) g.shape[g.rank++] = d;
  return g;
}

inline std::vector<float> floats(const Outputs::Array& array) {
  const auto* values = array.values.as<float>();
  return {values, values + array.values.size() / size_of(DType::f32)};
}

inline void check_same(const Outputs& there, const Outputs& here, size_t least) {
  REQUIRE(there.arrays().size() == here.arrays().size());
  REQUIRE(here.arrays().size() >= least);
  for (size_t i = 0; i < here.arrays().size(); ++i) {
    const Outputs::Array &x = there.arrays()[i], &y = here.arrays()[i];
    INFO(y.name);
    CHECK(x.name == y.name);
    CHECK(x.shape == y.shape);
    CHECK(largest_difference(floats(x), floats(y)) < 3e-5);
  }
}

constexpr Wanted kEverything{.last_hidden_state = true,
                             .pooler = true,
                             .hidden_states = true,
                             .attentions = true,
                             .cache = true,
                             .features = false,
                             .embeds = false};

struct DecoderCall {
  std::vector<int64_t> ids;
  std::vector<float> mask, encoder, encoder_mask = std::vector<float>(9, 1), heads = {1, 0.5f, 0, 1};
  TextForward text;

  explicit DecoderCall(Random& random) : encoder(random.uniform_vector(int64_t{3} * 3 * 24, -1, 1)) {
    for (int i = 0; i < 12; ++i) ids.push_back(random.integer(0, 19));
    mask.assign(12, 1);
    mask[2] = 0, mask[7] = 0.5f, encoder_mask[4] = 0;
    text.wanted = kEverything;
    text.input_ids = {ids.data(), 2, {3, 4}};
    text.attention_mask = given(mask, {3, 4});
    text.encoder_hidden_states = given(encoder, {3, 3, 24});
    text.encoder_attention_mask = given(encoder_mask, {3, 3});
    text.head_mask = given(heads, {2, 2});
  }
};

}  // namespace tw::test
