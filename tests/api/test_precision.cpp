// Precisions as the C interface offers them.
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/api/fixtures.h"

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
  options.precision = 3;
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
