// A Session's promises besides its numbers: one caller, a fixed budget, no allocation, a way to stop, clear refusals.
#include "models/session.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <thread>

#include "tests/support/allocation_counter.h"
#include "tests/support/expect_error.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

using namespace tw;
using namespace tw::test;

namespace {

ChineseClipConfig small_config(int64_t layers = 2) {
  ChineseClipConfig c;
  c.projection_dim = 20;
  c.text.vocab_size = 50;
  c.text.hidden_size = 32;
  c.text.num_attention_heads = 2;
  c.text.num_hidden_layers = layers;
  c.text.intermediate_size = 48;
  c.text.max_position_embeddings = 24;
  c.vision.hidden_size = 32;
  c.vision.num_attention_heads = 2;
  c.vision.num_hidden_layers = layers;
  c.vision.intermediate_size = 48;
  c.vision.image_size = 12;
  c.vision.patch_size = 4;
  return c;
}

std::shared_ptr<const ChineseClip> load(const ChineseClipConfig& config, Towers towers = Towers::both) {
  return load_random(config, 5, {}, towers);
}

struct Inputs {
  std::vector<int32_t> ids = {1, 2, 3, 4, 5, 6, 7};
  std::vector<int64_t> offsets = {0, 3, 7};
  std::vector<float> pixels = std::vector<float>(3 * 12 * 12, 0.25f);
  std::vector<float> texts = std::vector<float>(2 * 20), images = std::vector<float>(20);

  TextBatch text_batch() const { return {ids, offsets, {}, {}}; }
  ImageBatch image_batch() const { return {pixels.data(), false, nullptr, 1}; }
};

}  // namespace

TEST_CASE("a capture for which memory runs out fails as a whole, and the encode goes on") {
  const auto model = load(small_config());
  Session session(model, {.threads = 2});
  Inputs in;
  session.encode_texts(in.text_batch(), in.texts);
  const std::vector<float> plain = in.texts;
  bool complete = false;
  for (int64_t allowed = 0; !complete && allowed < 1000; ++allowed) {
    CAPTURE(allowed);
    Capture capture;
    fail_allocations_after(allowed);
    session.encode_texts(in.text_batch(), in.texts, {.capture = &capture});
    fail_allocations_after(INT64_MAX);
    complete = !capture.out_of_memory();
    REQUIRE(capture.results().empty() != complete);
    REQUIRE(in.texts.size() == plain.size());
    for (size_t i = 0; i < plain.size(); ++i) REQUIRE(in.texts[i] == Approx(plain[i]).margin(1e-6));
  }
  REQUIRE(complete);
}

TEST_CASE("an encode allocates nothing, whatever the threads come from") {
  const auto model = load(small_config());
  for (const Executor executor : {Executor{}, openmp(), calling_thread()}) {
    Session session(model, {.threads = 2, .executor = executor});
    Inputs in;
    session.encode_texts(in.text_batch(), in.texts);  // OpenMP makes its threads at the first region
    session.encode_images(in.image_batch(), in.images);
    const int64_t before = allocation_count();
    for (int i = 0; i < 5; ++i) {
      session.encode_texts(in.text_batch(), in.texts);
      session.encode_images(in.image_batch(), in.images);
      std::array<float, 2> logits{};
      session.compare(in.texts, in.images, logits);
    }
    CHECK(allocation_count() == before);
  }
}

TEST_CASE("scratch is what the estimate says, and a budget below it is refused before anything is taken") {
  const auto model = load(small_config());
  const int64_t bytes = Session::scratch_bytes(*model, {.threads = 2});
  CHECK(Session(model, {.threads = 2, .memory_budget = bytes}).scratch_bytes() == bytes);
  expect_error(
      ErrorCode::limit_exceeded, [&] { Session(model, {.threads = 2, .memory_budget = bytes - 1}); }, "memory budget",
      std::to_string(bytes));
  expect_error(
      ErrorCode::invalid_argument, [&] { Session(model, {.threads = 0}); }, "threads", "found 0");
  expect_error(
      ErrorCode::invalid_argument, [&] { Session(model, {.max_rows = -5}); }, "max_rows", "-5");
}

TEST_CASE("a second caller is told that the session is busy, and the first one is not disturbed") {
  const auto model = load(small_config(60));
  Session session(model, {.threads = 1});
  Inputs in;
  std::vector<int64_t> offsets(401);
  std::vector<int32_t> ids(400 * 20, 3);
  for (size_t i = 0; i < offsets.size(); ++i) offsets[i] = static_cast<int64_t>(i) * 20;
  std::vector<float> expected(400 * 20), got(400 * 20);
  const TextBatch many{ids, offsets, {}, {}};
  session.encode_texts(many, expected);
  std::atomic<bool> started{false}, done{false};
  std::thread first([&] {
    started = true;
    for (bool refused = true; refused;) {  // while the other one has it
      try {
        session.encode_texts(many, got);
        refused = false;
      } catch (const Error&) {
        std::this_thread::yield();
      }
    }
    done = true;
  });
  while (!started) std::this_thread::yield();
  bool busy = false;
  while (!done && !busy) {
    try {
      session.encode_images(in.image_batch(), in.images);
    } catch (const Error& error) {
      busy = error.code() == ErrorCode::busy;
    }
  }
  first.join();
  CHECK(busy);
  CHECK(got == expected);
  session.encode_images(in.image_batch(), in.images);
}

TEST_CASE("a wish to stop and a deadline end an encode between layers, on any number of threads") {
  const auto model = load(small_config());
  for (const int threads : {1, 2, 3}) {
    Session session(model, {.threads = threads});
    Inputs in;
    const std::atomic<bool> cancel{true};
    expect_error(
        ErrorCode::cancelled, [&] { session.encode_texts(in.text_batch(), in.texts, {.cancel = &cancel}); },
        "deadline");
    expect_error(
        ErrorCode::cancelled,
        [&] { session.encode_images(in.image_batch(), in.images, {.deadline = Stop::Clock::now()}); }, "deadline");
    const auto later = Stop::Clock::now() + std::chrono::hours(1);
    session.encode_texts(in.text_batch(), in.texts, {.deadline = later});  // usable afterwards
    session.encode_images(in.image_batch(), in.images, {.deadline = later});
  }
}

TEST_CASE("one tower alone loads, encodes as in the whole model, and says when the other one is missing") {
  const ChineseClipConfig config = small_config();
  Inputs in, again;
  Session both(load(config), {}), text(load(config, Towers::text), {}), image(load(config, Towers::image), {});
  both.encode_texts(in.text_batch(), in.texts);
  both.encode_images(in.image_batch(), in.images);
  text.encode_texts(in.text_batch(), again.texts);
  image.encode_images(in.image_batch(), again.images);
  CHECK(in.texts == again.texts);
  CHECK(in.images == again.images);
  CHECK(text.model().weight_bytes() + image.model().weight_bytes() == both.model().weight_bytes());
  expect_error(
      ErrorCode::invalid_argument, [&] { text.encode_images(in.image_batch(), in.images); }, "image tower");
  expect_error(
      ErrorCode::invalid_argument, [&] { image.encode_texts(in.text_batch(), in.texts); }, "text tower");
}

TEST_CASE("wrong inputs are refused by name and leave the session usable") {
  Session session(load(small_config()), {.threads = 2});
  Inputs in;
  const auto text = [&](TextBatch batch) { return [&session, &in, batch] { session.encode_texts(batch, in.texts); }; };
  const auto bad = ErrorCode::invalid_argument;
  std::vector<int32_t> ids = in.ids;
  ids[4] = 50;
  expect_error(bad, text({ids, in.offsets, {}, {}}), "ids[4]", "0 to 49", "found 50");
  ids[4] = -1;
  expect_error(bad, text({ids, in.offsets, {}, {}}), "ids[4]", "found -1");
  const std::vector<int32_t> types = {0, 0, 0, 0, 2, 0, 0}, places = {0, 1, 2, 0, 1, 2, 24};
  expect_error(bad, text({in.ids, in.offsets, types, {}}), "type_ids[4]", "0 to 1");
  expect_error(bad, text({in.ids, in.offsets, {}, places}), "position_ids[6]", "0 to 23");
  expect_error(bad, text({in.ids, in.offsets, std::span(types).first(3), {}}), "type_ids", "7 values");
  expect_error(bad, text({in.ids, {}, {}, {}}), "offsets");
  const std::vector<int64_t> backwards = {0, 5, 3, 7}, empty = {0, 3, 3, 7}, beyond = {0, 3, 8};
  expect_error(bad, text({in.ids, backwards, {}, {}}), "text[1]");
  expect_error(bad, text({in.ids, empty, {}, {}}), "text[1]", "found 0");
  expect_error(bad, text({in.ids, beyond, {}, {}}), "offsets", "8");
  const std::vector<int32_t> long_ids(25, 1);
  const std::vector<int64_t> one = {0, 25};
  expect_error(bad, text({long_ids, one, {}, {}}), "text[0]", "1 to 24", "found 25");
  expect_error(
      bad, [&] { session.encode_texts(in.text_batch(), std::span(in.texts).first(39)); }, "out", "40 floats");
  expect_error(
      bad, [&] { session.encode_images(in.image_batch(), std::span(in.images).first(19)); }, "out", "20 floats");
  std::vector<float> logits(1);
  expect_error(
      bad, [&] { session.compare(in.texts, in.images, logits); }, "logits_per_text", "2 floats");
  expect_error(
      bad, [&] { session.compare(std::span(in.texts).first(21), in.images, logits); }, "rows of 20");
  session.encode_texts(in.text_batch(), in.texts);
  CHECK(std::isfinite(in.texts[0]));
}

TEST_CASE("an empty batch is no error") {
  Session session(load(small_config()), {.threads = 2});
  const std::vector<int64_t> none = {0};
  session.encode_texts({{}, none, {}, {}}, {});
  session.encode_images({nullptr, false, nullptr, 0}, {});
}

TEST_CASE("an item that is not finite leaves the others as they are") {
  Session session(load(small_config()), {.threads = 2});
  std::vector<float> pixels(3 * 3 * 144, 0.5f), clean(3 * 20), dirty(3 * 20);
  session.encode_images({pixels.data(), false, nullptr, 3}, clean);
  pixels[432 + 7] = std::numeric_limits<float>::quiet_NaN();
  session.encode_images({pixels.data(), false, nullptr, 3}, dirty);
  for (size_t i = 0; i < 20; ++i) {
    CHECK(dirty[i] == clean[i]);
    CHECK(std::isnan(dirty[20 + i]));
    CHECK(dirty[40 + i] == clean[40 + i]);
  }
}

TEST_CASE("logits both ways, probabilities and the loss follow their definitions") {
  Session session(load(small_config()), {});
  Random random(3);
  const std::vector<float> texts = random.uniform_vector(3 * 20, -1, 1), images = random.uniform_vector(2 * 20, -1, 1);
  std::vector<float> logits(6), turned(6), probability(6);
  session.compare(texts, images, logits);
  for (size_t t = 0; t < 3; ++t) {
    for (size_t i = 0; i < 2; ++i) {
      double sum = 0;
      for (size_t k = 0; k < 20; ++k)
        sum += static_cast<double>(texts[t * 20 + k]) * static_cast<double>(images[i * 20 + k]);
      CHECK(logits[t * 2 + i] == Approx(std::exp(2.6592) * sum).epsilon(1e-5));
    }
  }
  transpose(turned, logits, 3, 2);
  CHECK(turned[1] == logits[2]);
  probabilities(probability, turned, 2, 3);
  CHECK(probability[0] + probability[1] + probability[2] == Approx(1));
  CHECK(probability[1] / probability[0] == Approx(std::exp(turned[1] - turned[0])));
  const std::vector<float> square = {2, 0, 1, 3};
  const double rows =
      -std::log(std::exp(2.0) / (std::exp(2.0) + 1)) - std::log(std::exp(3.0) / (std::exp(1.0) + std::exp(3.0)));
  const double columns =
      -std::log(std::exp(2.0) / (std::exp(2.0) + std::exp(1.0))) - std::log(std::exp(3.0) / (1 + std::exp(3.0)));
  CHECK(contrastive_loss(square, 2) == Approx((rows + columns) / 4));
}
