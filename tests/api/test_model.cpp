#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "tests/api/fixtures.h"

using namespace tuwen::test;

TEST_CASE("what a model says about itself") {
  const tuwen_model_info info = model().info();
  CHECK(info.embedding_size == 20);
  CHECK(info.vision_width == 40);
  CHECK(info.vision_layers == 2);
  CHECK(info.vision_heads == 5);
  CHECK(info.vision_mlp == 44);
  CHECK(info.image_size == 18);
  CHECK(info.patch_size == 6);
  CHECK(info.image_tokens == 10);
  CHECK(std::string(info.vision_activation) == "quick_gelu");
  CHECK(info.text_width == 24);
  CHECK(info.text_layers == 2);
  CHECK(info.text_heads == 3);
  CHECK(info.text_mlp == 40);
  CHECK(info.vocabulary_size == 64);
  CHECK(info.max_text_tokens == 20);
  CHECK(std::string(info.text_activation) == "gelu");
  CHECK(std::string(info.weights_type) == "f32");
  CHECK(std::string(info.weights_file).ends_with("base/model.safetensors"));
  CHECK(info.logit_scale > 0);

  // Counted from the shapes that spec'd layers have, not from the file.
  const int64_t text = (64 + 20 + 2) * 24 + 2 * 24 + 2 * (4 * (24 * 24 + 24) + 2 * 24 * 40 + 40 + 24 + 4 * 24);
  const int64_t vision =
      40 + 3 * 36 * 40 + 10 * 40 + 4 * 40 + 2 * (4 * (40 * 40 + 40) + 2 * 40 * 44 + 44 + 40 + 4 * 40);
  CHECK(info.parameters == text + vision + 20 * (24 + 40) + 1);
  CHECK(info.weight_bytes >= info.parameters * 4);
}

TEST_CASE("inspecting a directory says what loading it says, but for what only weights hold") {
  tuwen_model_info inspected = tuwen::Model::inspect(base_model());
  const tuwen_model_info loaded = model().info();
  CHECK(inspected.logit_scale == 0);
  inspected.logit_scale = loaded.logit_scale;
  CHECK(std::memcmp(&inspected, &loaded, sizeof loaded) == 0);
}

TEST_CASE("a memory budget is kept before anything is read") {
  auto options = tuwen::make<tuwen_load_options>();
  options.memory_budget = model().info().weight_bytes;
  CHECK(status_of([&] { tuwen::Model::load(base_model(), &options); }) == TUWEN_OK);
  options.memory_budget -= 1;
  CHECK(status_of([&] { tuwen::Model::load(base_model(), &options); }) == TUWEN_LIMIT_EXCEEDED);
  options.memory_budget = -1;
  CHECK(status_of([&] { tuwen::Model::load(base_model(), &options); }) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("one tower alone") {
  auto options = tuwen::make<tuwen_load_options>();
  const tuwen::Image image = picture(1);

  options.towers = TUWEN_TEXT_TOWER;
  const tuwen::Model text = tuwen::Model::load(base_model(), &options);
  CHECK(text.info().towers == TUWEN_TEXT_TOWER);
  CHECK(text.info().weight_bytes < model().info().weight_bytes);
  tuwen::Session text_session(text), both(model());
  CHECK(text_session.encode_texts({"a"}).data == both.encode_texts({"a"}).data);
  CHECK(status_of([&] { text_session.encode_images({&image, 1}); }) == TUWEN_INVALID_ARGUMENT);

  options.towers = TUWEN_IMAGE_TOWER;
  const tuwen::Model vision = tuwen::Model::load(base_model(), &options);
  tuwen::Session vision_session(vision);
  CHECK(vision_session.encode_images({&image, 1}).data == both.encode_images({&image, 1}).data);
  CHECK(status_of([&] { vision_session.encode_texts({"a"}); }) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("a model without tokenizer files takes ids and pixel values") {
  const std::string directory = TUWEN_TEST_DATA "/models/sparse_config";
  CHECK(status_of([&] { tuwen::Model::load(directory); }) == TUWEN_IO_ERROR);
  auto options = tuwen::make<tuwen_load_options>();
  options.without_processor = 1;
  const tuwen::Model bare = tuwen::Model::load(directory, &options);
  CHECK(bare.processor().get() == nullptr);
  tuwen::Session session(bare);
  CHECK(status_of([&] { session.encode_texts({"a"}); }) == TUWEN_INVALID_ARGUMENT);
  std::vector<float> embedding(static_cast<size_t>(bare.info().embedding_size));
  session.encode_tokens(std::vector<int32_t>{1, 2, 3}, std::vector<int64_t>{0, 3}, embedding);
  float squares = 0;
  for (const float e : embedding) squares += e * e;
  CHECK(squares == Approx(1.0f));
}

TEST_CASE("the system") {
  const tuwen_system_info info = tuwen::system_info();
  CHECK(info.cpus >= 1);
  CHECK(std::strlen(info.cpu) > 0);
  CHECK(std::strlen(info.isa) > 0);
  CHECK(std::strlen(info.compiler) > 0);
  CHECK(std::strlen(info.decoders) > 0);
}
