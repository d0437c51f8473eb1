// Precisions as the C interface offers them.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>

#include "tests/api/fixtures.h"
#include "tests/support/temp_dir.h"

using namespace tuwen::test;

TEST_CASE("an eight-bit model loads by option, is smaller, and points where the f32 model points") {
  auto options = tuwen::make<tuwen_load_options>();
  options.precision = TUWEN_INT8;
  const tuwen::Model small = tuwen::Model::load(base_model(), &options);
  CHECK(small.info().precision == TUWEN_INT8);
  CHECK(model().info().precision == TUWEN_F32);
  CHECK(small.info().weight_bytes < model().info().weight_bytes);
  CHECK(tuwen::Model::inspect(base_model(), &options).precision == TUWEN_INT8);
  tuwen::Session exact(model()), near(small);
  const tuwen::Matrix a = exact.encode_texts({"a", "a a a"}), b = near.encode_texts({"a", "a a a"});
  for (size_t r = 0; r < 2; ++r) {
    double dot = 0;
    for (size_t i = 0; i < a.columns; ++i) dot += static_cast<double>(a(r, i)) * static_cast<double>(b(r, i));
    CHECK(dot > 0.99);
  }
  CHECK(a.data != b.data);
  options.precision = 99;
  CHECK_THROWS_WITH(tuwen::Model::load(base_model(), &options), Catch::Contains("options.precision"));
}

TEST_CASE("a bf16 model takes half the room for its products and points where the f32 model points") {
  auto options = tuwen::make<tuwen_load_options>();
  options.precision = TUWEN_BF16;
  const tuwen::Model half = tuwen::Model::load(base_model(), &options);
  CHECK(half.info().precision == TUWEN_BF16);
  CHECK(half.info().weight_bytes < model().info().weight_bytes);
  tuwen::Session exact(model()), near(half);
  const tuwen::Matrix a = exact.encode_texts({"a", "a a a"}), b = near.encode_texts({"a", "a a a"});
  for (size_t r = 0; r < 2; ++r) {
    double dot = 0;
    for (size_t i = 0; i < a.columns; ++i) dot += static_cast<double>(a(r, i)) * static_cast<double>(b(r, i));
    CHECK(dot > 0.999);
  }
  CHECK(a.data != b.data);
}

TEST_CASE("a plan loads by option and is said; an unknown one, and the fast one in eight bits, are refused") {
  auto options = tuwen::make<tuwen_load_options>();
  CHECK(model().info().plan == TUWEN_EXACT);
  options.plan = TUWEN_FAST;
  CHECK(tuwen::Model::load(base_model(), &options).info().plan == TUWEN_FAST);
  CHECK(tuwen::Model::inspect(base_model(), &options).plan == TUWEN_FAST);
  options.precision = TUWEN_BF16;
  const tuwen::Model bf16 = tuwen::Model::load(base_model(), &options);
  CHECK(bf16.info().plan == TUWEN_FAST);
  CHECK(std::string(tuwen::Session(bf16).info().products).empty());  // on the CPU
  options.precision = TUWEN_INT8;
  CHECK_THROWS_WITH(tuwen::Model::load(base_model(), &options), Catch::Contains("plan fast: expected precision f32"));
  CHECK_THROWS_WITH(tuwen::Model::inspect(base_model(), &options), Catch::Contains("plan fast"));
  options.plan = 2;
  CHECK_THROWS_WITH(tuwen::Model::load(base_model(), &options), Catch::Contains("options.plan"));
}

TEST_CASE("an eight-bit model is scaled by the caller's pictures and texts") {
  const auto encoded = [](const tuwen_load_options& options) {
    const tuwen::Model loaded = tuwen::Model::load(base_model(), &options);
    tuwen::Session session(loaded);
    const std::vector<tuwen::Image> images = pictures(2);
    std::vector<float> all = session.encode_images(images).data;
    const tuwen::Matrix more = session.encode_texts(texts(3));
    all.insert(all.end(), more.data.begin(), more.data.end());
    return all;
  };
  const std::vector<tuwen::Image> images = pictures(3);
  const auto handles = tuwen::ProcessorView::handles_of(images);
  const std::vector<std::string> words = {"a", "b c d", std::string(200, 'a') + " b", ""};
  const tuwen::Texts views(words);
  auto plain = tuwen::make<tuwen_load_options>();
  plain.precision = TUWEN_INT8;
  const std::vector<float> built_in = encoded(plain);
  CHECK(encoded(plain) == built_in);

  auto given = plain;
  given.calibration_images = handles.data();
  given.calibration_image_count = handles.size();
  const size_t of_images = 2 * 20;
  std::vector<float> result = encoded(given);
  CHECK(std::vector(result.begin(), result.begin() + of_images) !=
        std::vector(built_in.begin(), built_in.begin() + of_images));
  CHECK(std::vector(result.begin() + of_images, result.end()) ==
        std::vector(built_in.begin() + of_images, built_in.end()));
  given.calibration_texts = views.data();
  given.calibration_text_count = views.size();
  result = encoded(given);
  CHECK(std::vector(result.begin() + of_images, result.end()) !=
        std::vector(built_in.begin() + of_images, built_in.end()));
  for (const int threads : {1, 2, 5}) {
    given.threads = threads;
    CHECK(encoded(given) == result);
  }
  SECTION("other precisions do not look at them") {
    given.precision = TUWEN_F32;
    given.calibration_images = nullptr;
    CHECK_NOTHROW(encoded(given));
  }
  SECTION("a program that does not know them gets the built-in set") {
    auto old = given;
    old.struct_size = offsetof(tuwen_load_options, calibration_images);
    CHECK(encoded(old) == built_in);
  }
  SECTION("what they do to the model can be kept, for int8 and FP8") {
    const tw::test::TempDir directory;
    const std::string file = (directory.path() / "scales").string();
    tuwen::Model::calibrate(base_model(), file, &given);
    auto kept = plain;
    kept.calibration_file = file.c_str();
    CHECK(encoded(kept) == result);
    kept.precision = given.precision = TUWEN_FP8;
    CHECK(encoded(kept) == encoded(given));
    auto one = kept;
    one.towers = TUWEN_TEXT_TOWER;
    CHECK(tuwen::Model::load(base_model(), &one).info().precision == TUWEN_FP8);
    given.calibration_file = file.c_str();
    CHECK_THROWS_WITH(encoded(given), Catch::Contains("options.calibration_file"));
    CHECK_THROWS_WITH(tuwen::Model::calibrate(base_model(), file, &given), Catch::Contains("options.calibration_file"));
    const std::string nowhere = (directory.path() / "no" / "scales").string();
    CHECK_THROWS_WITH(tuwen::Model::calibrate(base_model(), nowhere, &plain), Catch::Contains(nowhere));
    CHECK(tuwen_calibrate(nullptr, nullptr, file.c_str()) == TUWEN_INVALID_ARGUMENT);
    CHECK(tuwen_calibrate(base_model().c_str(), nullptr, nullptr) == TUWEN_INVALID_ARGUMENT);
  }
  SECTION("what is wrong with them is said") {
    auto wrong = given;
    wrong.calibration_images = nullptr;
    CHECK_THROWS_WITH(encoded(wrong), Catch::Contains("options.calibration_images"));
    const tuwen_image* none[] = {handles[0], nullptr};
    wrong.calibration_images = none;
    wrong.calibration_image_count = 2;
    CHECK_THROWS_WITH(encoded(wrong), Catch::Contains("calibration_images[1]"));
    wrong = given;
    wrong.calibration_texts = nullptr;
    CHECK_THROWS_WITH(encoded(wrong), Catch::Contains("calibration_texts"));
    wrong = given;
    wrong.without_processor = 1;
    CHECK_THROWS_WITH(encoded(wrong),
                      Catch::Contains("options.calibration_images") && Catch::Contains("without_processor"));
  }
}

TEST_CASE("an eight-bit model is made without a tokenizer, and of one tower") {
  auto options = tuwen::make<tuwen_load_options>();
  options.precision = TUWEN_INT8;
  options.without_processor = 1;
  for (const tuwen_towers towers : {TUWEN_BOTH_TOWERS, TUWEN_TEXT_TOWER, TUWEN_IMAGE_TOWER}) {
    options.towers = towers;
    CHECK(tuwen::Model::load(base_model(), &options).info().precision == TUWEN_INT8);
  }
}

TEST_CASE("an f16 model loads, and has no session on the CPU") {
  auto options = tuwen::make<tuwen_load_options>();
  options.precision = TUWEN_F16;
  const tuwen::Model half = tuwen::Model::load(base_model(), &options);
  CHECK(half.info().precision == TUWEN_F16);
  CHECK(half.info().weight_bytes < model().info().weight_bytes);
  try {
    tuwen::Session session(half);
    FAIL("a session");
  } catch (const tuwen::Error& error) {
    CHECK(error.status() == TUWEN_UNSUPPORTED);
    CHECK_THAT(error.what(), Catch::Contains("f16") && Catch::Contains("on a device"));
  }
}
