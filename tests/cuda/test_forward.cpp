// Forward passes of a session on the device under test against the CPU's: masks, caches, encoders, every output.
#include "tests/cuda/forward_cases.h"
#include "tests/cuda/under_test.h"

namespace tw::test {
namespace {

const char* const kVision = R"({"model_type": "chinese_clip_vision_model", "hidden_size": 24, "num_hidden_layers": 2,
  "num_attention_heads": 2, "intermediate_size": 20, "image_size": 8, "patch_size": 4, "initializer_range": 0.3})";

}  // namespace

TEST_CASE("cuda forward: a decoder with masks, an encoder and a cache gives what the CPU gives") {
  const Device under_test = device_under_test();
  const auto model = random_model(kDecoder);
  Random random(8);
  const DecoderCall first(random);
  std::vector<float> longer_mask(3 * 8, 1);
  longer_mask[1] = 0;
  for (const int64_t max_rows : {12, 2048}) {  // one item a slice, all
    CAPTURE(max_rows);
    Session device(model, {.max_rows = max_rows, .device = under_test}), cpu(model, {.max_rows = max_rows});
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
  Session device(model, {.max_rows = 12, .device = under_test}), cpu(model, {});
  check_same(device.forward(by_embeds), cpu.forward(by_embeds), 17);
}

TEST_CASE("cuda forward: pictures of the model's size and of another") {
  const Device under_test = device_under_test();
  const auto model = random_model(kVision);
  Random random(9);
  for (const int64_t side : {8, 12}) {
    const std::vector<float> pixels = random.uniform_vector(3 * 3 * side * side, -2, 2);
    VisionForward vision;
    vision.wanted = kEverything;
    vision.pixel_values = given(pixels, {3, 3, side, side});
    vision.interpolate = true;
    for (const int64_t max_rows : {10, 2048}) {
      Session device(model, {.max_rows = max_rows, .device = under_test}), cpu(model, {});
      check_same(device.forward(vision), cpu.forward(vision), 7);
    }
  }
}

TEST_CASE("cuda forward: features and embeds of both towers") {
  const Device under_test = device_under_test();
  ChineseClipConfig config = awkward_config();
  config.vision.image_size = 10;
  config.text.num_hidden_layers = config.vision.num_hidden_layers = 1;
  const auto model = load_random(config, 4);
  Random random(10);
  Session device(model, {.device = under_test}), cpu(model, {});
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

}  // namespace tw::test
