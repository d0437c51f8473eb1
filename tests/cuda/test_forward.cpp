// Forward passes of a session on a device (fake_cuda.h) against the CPU's: masks, caches, encoders, every output.
#include <catch2/catch.hpp>
#include <numeric>

#include "models/checkpoint_edit.h"
#include "models/session.h"
#include "tests/cuda/fake_cuda.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

namespace tw::test {
namespace {

std::shared_ptr<const ChineseClip> random_model(const std::string& json) {
  const ChineseClipConfig config = parse_config(json, "test");
  return ChineseClip::load(*random_checkpoint(json, {.seed = 3}).tensors, config, {});
}

// A decoder that looks at an encoder, with relative positions.
const char* const kDecoder = R"({"model_type": "chinese_clip_text_model", "vocab_size": 20, "hidden_size": 24,
  "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20, "max_position_embeddings": 12,
  "is_decoder": true, "add_cross_attention": true, "position_embedding_type": "relative_key_query",
  "initializer_range": 0.3})";
const char* const kVision = R"({"model_type": "chinese_clip_vision_model", "hidden_size": 24, "num_hidden_layers": 2,
  "num_attention_heads": 2, "intermediate_size": 20, "image_size": 8, "patch_size": 4, "initializer_range": 0.3})";

Given<float> given(const std::vector<float>& values, std::vector<int64_t> shape) {
  Given<float> g;
  g.data = values.data();
  for (const int64_t d : shape) g.shape[g.rank++] = d;
  REQUIRE(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()) == std::ssize(values));
  return g;
}

Given<float> given(const Outputs::Array& array) {
  Given<float> g;
  g.data = array.values.as<float>();
  for (const int64_t d : array.shape) g.shape[g.rank++] = d;
  return g;
}

std::vector<float> floats(const Outputs::Array& array) {
  const auto* values = array.values.as<float>();
  return {values, values + array.values.size() / size_of(DType::f32)};
}

void check_same(const Outputs& there, const Outputs& here, size_t least) {
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

}  // namespace

TEST_CASE("cuda forward: a decoder with masks, an encoder and a cache gives what the CPU gives") {
  Driver fake;
  driver = &fake;
  const auto model = random_model(kDecoder);
  Random random(8);
  const DecoderCall first(random);
  std::vector<float> longer_mask(3 * 8, 1);
  longer_mask[1] = 0;
  for (const int64_t max_rows : {12, 2048}) {  // one item a slice, all
    CAPTURE(max_rows);
    Session device(model, {.max_rows = max_rows, .device = fake_device()}), cpu(model, {.max_rows = max_rows});
    const Outputs here = cpu.forward(first.text);
    check_same(device.forward(first.text), here, 17);
    // The next tokens, after the cache of these.
    std::vector<Given<float>> past;
    for (const Outputs::Array& array : here.arrays())
      if (array.name.starts_with("past.")) past.push_back(given(array));
    std::vector<Given<float>> in_order;
    for (size_t layer = 0; layer < 2; ++layer)
      for (const char* part : {".key", ".value", ".cross_key", ".cross_value"})
        in_order.push_back(given(*here.find("past." + std::to_string(layer) + part)));
    DecoderCall next = first;
    next.text = first.text;
    next.text.attention_mask = given(longer_mask, {3, 8});
    next.text.past_key_values = in_order;
    check_same(device.forward(next.text), cpu.forward(next.text), 17);
  }
  const std::vector<float> embeds = random.uniform_vector(int64_t{3} * 4 * 24, -1, 1);
  TextForward by_embeds = first.text;
  by_embeds.input_ids = {};
  by_embeds.inputs_embeds = given(embeds, {3, 4, 24});
  Session device(model, {.max_rows = 12, .device = fake_device()}), cpu(model, {});
  check_same(device.forward(by_embeds), cpu.forward(by_embeds), 17);
}

TEST_CASE("cuda forward: pictures of the model's size and of another") {
  Driver fake;
  driver = &fake;
  const auto model = random_model(kVision);
  Random random(9);
  for (const int64_t side : {8, 12}) {
    const std::vector<float> pixels = random.uniform_vector(3 * 3 * side * side, -2, 2);
    VisionForward vision;
    vision.wanted = kEverything;
    vision.pixel_values = given(pixels, {3, 3, side, side});
    vision.interpolate = true;
    for (const int64_t max_rows : {10, 2048}) {
      Session device(model, {.max_rows = max_rows, .device = fake_device()}), cpu(model, {});
      check_same(device.forward(vision), cpu.forward(vision), 7);
    }
  }
}

TEST_CASE("cuda forward: features and embeds of both towers") {
  Driver fake;
  driver = &fake;
  ChineseClipConfig config = awkward_config();
  config.vision.image_size = 10;
  config.text.num_hidden_layers = config.vision.num_hidden_layers = 1;
  const auto model = load_random(config, 4);
  Random random(10);
  Session device(model, {.device = fake_device()}), cpu(model, {});
  const std::vector<int64_t> ids = {1, 2, 3, 4, 5, 6};
  const std::vector<float> weighing = {1, 1, 0.5f, 1, 1, 1}, pixels = random.uniform_vector(2 * 3 * 10 * 10, -2, 2);
  TextForward text;
  text.wanted.features = text.wanted.embeds = true;
  text.input_ids = {ids.data(), 2, {2, 3}};
  check_same(device.forward(text), cpu.forward(text), 2);
  text.wanted.features = false;  // the packed path, and with a mask that weighs not
  check_same(device.forward(text), cpu.forward(text), 1);
  text.attention_mask = given(weighing, {2, 3});
  check_same(device.forward(text), cpu.forward(text), 1);
  VisionForward vision;
  vision.wanted.features = vision.wanted.embeds = true;
  vision.pixel_values = given(pixels, {2, 3, 10, 10});
  check_same(device.forward(vision), cpu.forward(vision), 2);
}

TEST_CASE("cuda forward: whichever call of the driver fails, nothing leaks, and results outlive the session") {
  Driver counting;
  driver = &counting;
  const auto model = random_model(kDecoder);
  Random random(8);
  const DecoderCall call(random);
  std::optional<Outputs> expected;
  int calls = 0;
  {
    Session session(model, {.device = fake_device()});
    const int before = counting.calls;
    expected = session.forward(call.text);
    calls = counting.calls - before;
  }
  CHECK(counting.mapped.size() == expected->arrays().size());
  for (int n = 1; n <= calls; ++n) {
    CAPTURE(n);
    Session session(model, {.device = fake_device()});
    const size_t memory = counting.memory.size(), mapped = counting.mapped.size();
    counting.fails_at = counting.calls + n;
    try {
      check_same(session.forward(call.text), *expected, 17);
    } catch (const Error& e) {
      REQUIRE(e.detail().file == "fake");
    }
    counting.fails_at = 0;
    REQUIRE(counting.memory.size() <= memory + 1);  // the session keeps the pass's scratch
    REQUIRE(counting.mapped.size() == mapped);
    if (n % 8 == 0) check_same(session.forward(call.text), *expected, 17);
  }
  expected.reset();
  CHECK(counting.mapped.empty());
}

}  // namespace tw::test
