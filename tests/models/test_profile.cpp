// Profiles of encodes: every operation of every layer, with what it costs, and nothing else changed.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "models/session.h"
#include "tests/support/allocation_counter.h"
#include "tests/support/profile_sum.h"
#include "tests/support/random_checkpoint.h"

using namespace tw;
using namespace tw::test;

namespace {

ChineseClipConfig profiled_config() {
  ChineseClipConfig c;
  c.projection_dim = 20;
  c.text.vocab_size = 50;
  c.text.hidden_size = 64;
  c.text.num_attention_heads = 2;
  c.text.num_hidden_layers = 3;
  c.text.intermediate_size = 128;
  c.text.max_position_embeddings = 24;
  c.vision.hidden_size = 64;
  c.vision.num_attention_heads = 2;
  c.vision.num_hidden_layers = 3;
  c.vision.intermediate_size = 128;
  c.vision.image_size = 16;
  c.vision.patch_size = 4;
  return c;
}

std::shared_ptr<const ChineseClip> load(Precision precision) {
  return load_random(profiled_config(), 5, {.precision = precision});
}

struct Inputs {
  std::vector<int32_t> ids = {1, 2, 3, 4, 5, 6, 7};
  std::vector<int64_t> offsets = {0, 3, 7};
  std::vector<float> pixels = std::vector<float>(2 * 3 * 16 * 16, 0.25f);
  std::vector<float> texts = std::vector<float>(2 * 20), images = std::vector<float>(2 * 20);

  TextBatch text_batch() const { return {ids, offsets, {}, {}}; }
  ImageBatch image_batch() const { return {pixels.data(), false, nullptr, 2}; }
};

}  // namespace

TEST_CASE("a profile names every operation of every layer, and its parts add up") {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const auto model = load(precision);
    for (const int threads : {1, 2}) {
      Session session(model, {.threads = threads});
      Inputs in;
      session.encode_images(in.image_batch(), in.images);
      session.encode_texts(in.text_batch(), in.texts);
      const std::vector<float> images = in.images, texts = in.texts;
      Profile vision, text;
      session.encode_images(in.image_batch(), in.images, {.profile = &vision});
      session.encode_texts(in.text_batch(), in.texts, {.profile = &text});
      CHECK(in.images == images);
      CHECK(in.texts == texts);
      for (const Profile* profile : {&vision, &text}) {
        CHECK(profile->whole().lost == 0);
        CHECK(profile->whole().members >= 1);
        CHECK(profile->whole().members <= threads);
        CHECK(sum(*profile) == Approx(profile->whole().wall).epsilon(0.02));
        std::map<int64_t, std::multiset<std::string>> layers;
        for (int64_t i = 0; i < profile->count(); ++i) {
          const ProfiledOp op = profile->at(i);
          CHECK(op.place.tower == std::string(profile == &vision ? "vision" : "text"));
          layers[op.place.layer].insert(op.place.op);
          if (op.place.op != std::string("clear_behind")) CHECK(op.cost.activation_bytes > 0);
        }
        CHECK(layers.size() == 4);  // and what lies outside
        for (int64_t layer = 0; layer < 3; ++layer) {
          // The last layer of f32 models makes neither keys nor values.
          const bool absorbed = precision == Precision::f32 && layer == 2;
          CHECK(layers[layer].count("linear") == (absorbed ? 4u : 5u));
          CHECK(layers[layer].count("attention") == (absorbed ? 0u : 1u));
          for (const char* step : {"absorb_keys", "score_rows", "softmax_columns", "weigh_rows", "mixed_values"})
            CHECK(layers[layer].count(step) == (absorbed ? 1u : 0u));
          CHECK(layers[layer].count("layer_norm") == 2);
        }
        CHECK(layers[-1].count("linear") == (profile == &vision ? 2u : 1u));  // patches, projection
        CHECK(layers[-1].count("l2_normalize") == 1);
      }
    }
  }
}

TEST_CASE("a profile counts the work of the shapes, in the type that it runs in") {
  const auto model = load(Precision::bf16);
  Session session(model, {});
  Inputs in;
  Profile profile;
  session.encode_texts(in.text_batch(), in.texts, {.profile = &profile});
  double first = 0, last = 0;
  for (int64_t i = 0; i < profile.count(); ++i) {
    const ProfiledOp op = profile.at(i);
    const std::string name = op.place.op;
    const bool in_bf16 = op.place.layer >= 0 && (name == "linear" || name == "attention");
    CHECK(op.cost.type == (in_bf16 ? DType::bf16 : DType::f32));
    if (name != "linear" && name != "attention") continue;
    if (op.place.layer == 0) first += op.cost.flops;
    if (op.place.layer == 2) last += op.cost.flops;
    if (name == "linear" && op.cost.k == 128) CHECK(op.cost.weight_bytes == 64 * 128 * 2);
  }
  // 7 rows in two texts of 3 and 4 tokens; 64 wide, 128 inside.
  const double attention = 4 * 64 * (3 * 3 + 4 * 4), products = 2 * 7 * 64 * (4 * 64 + 2 * 128);
  CHECK(first == attention + products);
  // Two class tokens ask; everybody is asked.
  CHECK(last == 4 * 64 * (3 + 4) + 2 * 7 * 64 * 2 * 64 + 2 * 2 * 64 * (2 * 64 + 2 * 128));
}

TEST_CASE("a profile that has had a call allocates nothing in the next, and gathers slices") {
  const auto model = load(Precision::f32);
  Session session(model, {.threads = 2, .max_rows = 24});  // one image a slice
  Inputs in;
  Profile profile;
  session.encode_images(in.image_batch(), in.images, {.profile = &profile});
  const int64_t ops = profile.count();
  CHECK(ops % 2 == 0);
  profile.clear();
  const int64_t before = allocation_count();
  session.encode_images(in.image_batch(), in.images, {.profile = &profile});
  CHECK(allocation_count() == before);
  CHECK(profile.count() == ops);
  CHECK(sum(profile) == Approx(profile.whole().wall).epsilon(0.02));
}

TEST_CASE("memory that runs out for a profile fails the call before it runs, and the session goes on") {
  const auto model = load(Precision::f32);
  Session session(model, {.threads = 2});
  Inputs in;
  Profile profile;
  for (int64_t allowed = 0; allowed < 3; ++allowed) {
    fail_allocations_after(allowed);
    CHECK_THROWS_AS(session.encode_texts(in.text_batch(), in.texts, {.profile = &profile}), std::bad_alloc);
    fail_allocations_after(INT64_MAX);
    CHECK(profile.count() == 0);
    profile = Profile();
  }
  session.encode_texts(in.text_batch(), in.texts, {.profile = &profile});
  CHECK(profile.count() > 0);
}

TEST_CASE("a stopped encode leaves a profile of what has run") {
  const auto model = load(Precision::f32);
  Session session(model, {.threads = 2});
  Inputs in;
  Profile profile;
  const std::atomic<bool> cancel{true};
  CHECK_THROWS(session.encode_texts(in.text_batch(), in.texts, {.profile = &profile, .cancel = &cancel}));
  for (int64_t i = 0; i < profile.count(); ++i) CHECK(profile.at(i).place.layer <= 0);
  CHECK(sum(profile) == Approx(profile.whole().wall).epsilon(0.02));
}
