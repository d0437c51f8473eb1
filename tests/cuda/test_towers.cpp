// Both towers by the code of models/ over the CUDA table, its kernels on the host shim: an Exec that names a device. On
// a host its memory is the device's, so nothing is copied. Against the same on the CPU.
#include <catch2/catch.hpp>
#include <cmath>

#include "kernels/cuda/table_cuda.h"
#include "kernels/select.h"
#include "models/session.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

namespace tw::test {
namespace {

// Small enough for the shim.
ChineseClipConfig small_awkward_config() {
  ChineseClipConfig c = awkward_config();
  c.text.num_hidden_layers = 2;
  c.text.max_position_embeddings = 40;
  c.vision.patch_size = 10;
  return c;
}

struct Inputs {
  std::vector<int32_t> ids, types, positions;
  std::vector<int64_t> offsets = {0, 1, 35, 52};
  std::vector<uint8_t> pixels;  // two images
  std::vector<float> table;
};

Inputs inputs_for(const ChineseClipConfig& config) {
  Random random(5);
  Inputs in;
  for (size_t item = 0; item + 1 < in.offsets.size(); ++item) {
    for (int64_t t = 0; t < in.offsets[item + 1] - in.offsets[item]; ++t) {
      in.ids.push_back(static_cast<int32_t>(random.integer(0, config.text.vocab_size - 1)));
      in.types.push_back(0);
      in.positions.push_back(static_cast<int32_t>(t));
    }
  }
  for (int64_t i = 0; i < 2 * config.vision.image_size * config.vision.image_size * 3; ++i)
    in.pixels.push_back(static_cast<uint8_t>(random.integer(0, 255)));
  in.table = random.uniform_vector(3 * 256, -1.8, 2.2);
  return in;
}

// Runs body(exec, arena) as a region of one member on the CUDA table.
template <class Plan, class Body>
void on_device(Plan plan, Body body) {
  Arena measure;
  plan(measure);
  Buffer memory(measure.used(), "scratch");
  Arena arena(memory);
  auto scratch = plan(arena);
  WorkFront front;
  front.reset();
  Exec ex{.kernels = nullptr, .member = {0, 1}, .front = &front, .scratch = nullptr, .device = &cuda_table()};
  body(ex, scratch);
}

std::vector<float> texts_on_device(const ChineseClip& model, const Inputs& in) {
  const int64_t texts = std::ssize(in.offsets) - 1, tokens = in.offsets.back(), width = model.embedding_width();
  std::vector<float> out(static_cast<size_t>(texts * width));
  std::vector<Sequence> every, first;
  for (int64_t i = 0; i < texts; ++i) {
    const int64_t row = in.offsets[static_cast<size_t>(i)], length = in.offsets[static_cast<size_t>(i + 1)] - row;
    every.push_back({row, length, row, length});
    first.push_back({i, 1, row, length});
  }
  const PackedTexts packed{in.ids.data(),
                           in.types.data(),
                           in.positions.data(),
                           tokens,
                           every,
                           first,
                           std::span(in.offsets).first(static_cast<size_t>(texts))};
  const Bert& text = *model.text();
  const DType type = model.activation_type();
  on_device([&](Arena& a) { return BertScratch::plan(a, text.config(), tokens, type, text.attention_type(type)); },
            [&](Exec& ex, BertScratch& s) {
              Stop stop;
              const Tensor result = matrix(out.data(), texts, width);
              linear(ex, result, text.forward(ex, s, packed, stop, nullptr), model.text_projection());
              l2_normalize(ex, result, result);
            });
  return out;
}

std::vector<float> images_on_device(const ChineseClip& model, const Inputs& in) {
  const VisionConfig& c = model.vision()->config();
  const int64_t images = 2, tokens = c.tokens(), width = model.embedding_width();
  std::vector<float> out(static_cast<size_t>(images * width));
  std::vector<Sequence> every, first;
  for (int64_t i = 0; i < images; ++i) {
    every.push_back({i * tokens, tokens, i * tokens, tokens});
    first.push_back({i, 1, i * tokens, tokens});
  }
  const PatchSource pixels{in.pixels.data(), true, in.table.data(), c.image_size, c.image_size, 3, c.patch_size};
  const DType type = model.activation_type();
  on_device([&](Arena& a) { return VitScratch::plan(a, c, images * tokens, images, type, type); },
            [&](Exec& ex, VitScratch& s) {
              Stop stop;
              const Tensor result = matrix(out.data(), images, width);
              const Tensor pooled = model.vision()->forward(ex, s, pixels, {every, first}, stop, nullptr);
              linear(ex, result, pooled, model.image_projection());
              l2_normalize(ex, result, result);
            });
  return out;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    most = std::isnan(d) ? HUGE_VAL : std::max(most, d);
  }
  return most;
}

void check_model(Precision precision, double permitted) {
  const ChineseClipConfig config = small_awkward_config();
  const TempDir directory;
  const Checkpoint checkpoint = Checkpoint::open(write_random_checkpoint(directory, config, 41));
  const auto model = ChineseClip::load(checkpoint, config, {.precision = precision});
  const Inputs in = inputs_for(config);
  Session session(model, {.threads = 1});
  const auto width = static_cast<size_t>(model->embedding_width());
  std::vector<float> texts(3 * width), images(2 * width);
  session.encode_texts({in.ids, in.offsets, {}, {}}, texts);
  session.encode_images({in.pixels.data(), true, in.table.data(), 2}, images);
  CHECK(largest_difference(texts_on_device(*model, in), texts) <= permitted);
  CHECK(largest_difference(images_on_device(*model, in), images) <= permitted);
}

}  // namespace

TEST_CASE("cuda: both towers in f32 are within 1e-5 of the CPU's") { check_model(Precision::f32, 1e-5); }

TEST_CASE("cuda: both towers in bf16 are as close to the CPU's as roundings permit") {
  check_model(Precision::bf16, 0.02);
}

}  // namespace tw::test
