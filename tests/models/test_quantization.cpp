// Eight-bit models: made from any checkpoint at load, close to the f32 model, and as deterministic.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "kernels/select.h"
#include "models/calibration_file.h"
#include "models/quantization.h"
#include "models/session.h"
#include "tests/support/expect_error.h"
#include "tests/support/packed.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

using namespace tw;
using namespace tw::test;

namespace {

ChineseClipConfig config_of(int64_t text_width, int64_t vision_width) {
  ChineseClipConfig c;
  c.projection_dim = 48;
  c.text.vocab_size = 120;
  c.text.hidden_size = text_width;
  c.text.num_attention_heads = 2;
  c.text.num_hidden_layers = 3;
  c.text.intermediate_size = 2 * text_width + 3;
  c.text.max_position_embeddings = 40;
  c.vision.hidden_size = vision_width;
  c.vision.num_attention_heads = 2;
  c.vision.num_hidden_layers = 3;
  c.vision.intermediate_size = 3 * vision_width;
  c.vision.image_size = 24;
  c.vision.patch_size = 6;
  return c;
}

struct Pair {
  std::shared_ptr<const ChineseClip> f32, int8;
};

Pair load_both(const ChineseClipConfig& config, uint64_t seed) {
  const TempDir directory;
  const Checkpoint checkpoint = Checkpoint::open(write_random_checkpoint(directory, config, seed));
  return {ChineseClip::load(checkpoint, config),
          ChineseClip::load(checkpoint, config, {.precision = Precision::int8, .threads = 2})};
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

struct Batch {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  std::vector<float> pixels;
  int64_t images = 3;

  Batch(const ChineseClipConfig& c, Random& random) {
    for (const int64_t length : {int64_t{1}, int64_t{9}, c.text.max_position_embeddings}) {
      for (int64_t i = 0; i < length; ++i)
        ids.push_back(static_cast<int32_t>(random.integer(0, c.text.vocab_size - 1)));
      offsets.push_back(static_cast<int64_t>(ids.size()));
    }
    pixels = random.uniform_vector(images * 3 * c.vision.image_size * c.vision.image_size, -1.8, 2.2);
  }
};

std::vector<float> encode(const std::shared_ptr<const ChineseClip>& model, const Batch& batch, const KernelTable& table,
                          int threads, int64_t max_rows = 2048) {
  Session session(model, {.threads = threads, .max_rows = max_rows, .kernels = &table});
  const auto width = static_cast<size_t>(model->embedding_width());
  std::vector<float> out(6 * width);
  session.encode_texts({batch.ids, batch.offsets, {}, {}}, std::span(out).first(3 * width));
  session.encode_images({batch.pixels.data(), false, nullptr, batch.images}, std::span(out).last(3 * width));
  return out;
}

}  // namespace

TEST_CASE("an eight-bit model points where the f32 model points") {
  for (const auto& [text, vision] : {std::pair{64, 96}, {52, 40}}) {
    const ChineseClipConfig config = config_of(text, vision);
    const Pair models = load_both(config, 31);
    Random random(32);
    const Batch batch(config, random);
    CHECK(models.int8->precision() == Precision::int8);
    CHECK(models.int8->weight_bytes() < models.f32->weight_bytes() / 2);
    const auto width = static_cast<size_t>(config.projection_dim);
    for (const KernelTable* table : available_tables(query_cpu())) {
      const std::vector<float> exact = encode(models.f32, batch, *table, 1),
                               near = encode(models.int8, batch, *table, 1);
      for (size_t i = 0; i < 6; ++i) {
        INFO(table->name << " item " << i);
        CHECK(cosine(std::span(exact).subspan(i * width, width), std::span(near).subspan(i * width, width)) > 0.998);
      }
    }
  }
}

TEST_CASE("eight bits: the patch embedding is one of the products, and may read the longest rows of all") {
  ChineseClipConfig config = config_of(52, 40);
  config.vision.patch_size = 12;             // 432 values a patch, where other products read at most 120
  config.text.max_position_embeddings = 16;  // so that the images fill the session's rows
  const Pair models = load_both(config, 41);
  Random random(42);
  const Batch batch(config, random);
  const auto width = static_cast<size_t>(config.projection_dim);
  const int64_t rows = batch.images * config.vision.tokens();
  for (const KernelTable* table : available_tables(query_cpu())) {
    INFO(table->name);
    Session session(models.int8, {.max_rows = std::max<int64_t>(rows, 16), .kernels = table});
    Profile profile;
    std::vector<float> near(3 * width);
    session.encode_images({batch.pixels.data(), false, nullptr, batch.images}, near, {.profile = &profile});
    bool found = false;
    for (int64_t i = 0; i < profile.count(); ++i)
      found |= profile.at(i).cost.k == 432 && profile.at(i).cost.type == DType::i8;
    CHECK(found);
    const std::vector<float> exact = encode(models.f32, batch, *table, 1);
    for (size_t i = 0; i < 3; ++i)
      CHECK(cosine(std::span(exact).subspan((3 + i) * width, width), std::span(near).subspan(i * width, width)) >
            0.998);
  }
}

TEST_CASE("an eight-bit embedding has the same bits in any batch and slice, with any number of threads") {
  const ChineseClipConfig config = config_of(64, 80);
  const Pair models = load_both(config, 33);
  Random random(34);
  const Batch batch(config, random);
  for (const KernelTable* table : available_tables(query_cpu())) {
    const std::vector<float> expected = encode(models.int8, batch, *table, 1);
    for (const int threads : {2, 3, 7}) CHECK(encode(models.int8, batch, *table, threads) == expected);
    CHECK(encode(models.int8, batch, *table, 2, 40) == expected);
  }
}

// Of f32 models the last block makes no keys and values, unless somebody wants to see their product's input.
TEST_CASE("an observer sees every row that goes into keys and values, in the last block too") {
  const ChineseClipConfig config = config_of(64, 96);
  const auto model = load_both(config, 3).f32;
  Random random(8);
  const Batch batch(config, random);
  using MostRows = std::map<const Linear*, int64_t>;
  MostRows seen;
  const ProductObserver observer{[](void* self, const Linear& w, Tensor x, int64_t part, int64_t) {
                                   int64_t& most = (*static_cast<MostRows*>(self))[&w];
                                   if (part == 0) most = std::max(most, x.rows);
                                 },
                                 &seen};
  const EmbedOptions options{.observer = &observer};
  Session session(model, {});
  std::vector<float> out(static_cast<size_t>(3 * model->embedding_width()));
  session.encode_images({batch.pixels.data(), false, nullptr, batch.images}, out, options);
  session.encode_texts({batch.ids, batch.offsets, {}, {}}, out, options);
  const auto fed = [&](const auto& tower) {
    std::multiset<int64_t> rows;
    tower.for_each_linear([&](const Linear& w) { rows.insert(seen.at(&w)); });
    return rows;
  };
  // Three blocks of four products; of the last block's, three see the first tokens alone.
  const int64_t pixels = batch.images * config.vision.tokens(), tokens = std::ssize(batch.ids);
  CHECK(fed(*model->vision()) ==
        std::multiset<int64_t>{3, 3, 3, pixels, pixels, pixels, pixels, pixels, pixels, pixels, pixels, pixels});
  CHECK(fed(*model->text()) ==
        std::multiset<int64_t>{3, 3, 3, tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens});
}

TEST_CASE("calibration is repeatable, and its threads do not show") {
  const ChineseClipConfig config = config_of(64, 64);
  const TempDir directory;
  const Checkpoint checkpoint = Checkpoint::open(write_random_checkpoint(directory, config, 35));
  Random random(36);
  const Batch batch(config, random);
  const KernelTable& table = select_table(query_cpu());
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 1, 3})
    results.push_back(encode(ChineseClip::load(checkpoint, config, {.precision = Precision::int8, .threads = threads}),
                             batch, table, 1));
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("smoothing leaves the product as it is and tames an outlier channel") {
  // Column 5 of the input is a hundred times the others: without smoothing it takes the whole range of the row.
  constexpr int64_t kN = 32, kK = 64, kRows = 4;
  Random random(37);
  std::vector<float> w = random.uniform_vector(kN * kK, -1, 1), x = random.uniform_vector(kRows * kK, -1, 1);
  for (int64_t r = 0; r < kRows; ++r) x[static_cast<size_t>(r * kK + 5)] *= 100;
  for (int64_t n = 0; n < kN; ++n) w[static_cast<size_t>(n * kK + 5)] *= 0.01f;
  std::vector<float> factors(kK, 1.0f);
  factors[5] = 100;
  const PackedMatrix packed = packed_weights(w, kN, kK, DType::f32);
  const auto error_with = [&](const float* smoothing) {
    Linear linear;
    linear.int8 = PackedInt8(packed, smoothing);
    const Int8View view = linear.int8.view(0);
    const KernelTable& table = select_table(query_cpu());
    std::vector<uint8_t> q(kRows * kK);
    std::vector<float> scale(kRows), y(kRows * kN);
    std::vector<int32_t> zero(kRows);
    table.quantize({x.data(), kK, view.multiplier, q.data(), kK, scale.data(), zero.data(), kRows, kK, kK});
    table.linear_int8({.x = q.data(),
                       .x_stride = kK,
                       .x_scale = scale.data(),
                       .x_zero = zero.data(),
                       .weights = view.strips,
                       .w_scale = view.scale,
                       .w_sum = view.sum,
                       .bias = nullptr,
                       .y = y.data(),
                       .y_stride = kN,
                       .rows = kRows,
                       .columns = kN,
                       .k = kK,
                       .activation = Activation::linear,
                       .add_to_output = false});
    double worst = 0;
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t n = 0; n < kN; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < kK; ++k)
          sum += static_cast<double>(x[static_cast<size_t>(r * kK + k)]) *
                 static_cast<double>(w[static_cast<size_t>(n * kK + k)]);
        worst = std::max(worst, std::fabs(sum - static_cast<double>(y[static_cast<size_t>(r * kN + n)])));
      }
    }
    return worst;
  };
  CHECK(error_with(factors.data()) < 0.1);
  CHECK(error_with(nullptr) > 10 * error_with(factors.data()));
}

TEST_CASE("what a product is fed is seen alike in any number of parts") {
  constexpr int64_t kK = 75, kRows = 9;
  Random random(38);
  std::vector<float> x = random.uniform_vector(kRows * kK, -1, 2);
  const Tensor rows = matrix(x.data(), kRows, kK);
  ProductInput alone(kK);
  for (int i = 0; i < 2; ++i) alone.see(rows, 0, 1);
  for (const int count : {2, 3, 40}) {
    ProductInput shared(kK);
    for (int index = 0; index < count; ++index) shared.see(rows, index, count);
    shared.see(rows, 0, 1);
    CHECK(shared.largest() == alone.largest());
    for (int64_t c = 0; c < kK; ++c) CHECK(shared.mean(c) == alone.mean(c));
  }
  for (int64_t c = 0; c < kK; ++c) {
    double sum = 0;
    float largest = 0;
    for (int64_t r = 0; r < kRows; ++r) {
      sum += static_cast<double>(rows.f32_row(r)[c]);
      largest = std::max(largest, std::fabs(rows.f32_row(r)[c]));
    }
    CHECK(std::fabs(static_cast<double>(alone.mean(c)) - sum / kRows) < 1e-6);
    CHECK(alone.largest()[static_cast<size_t>(c)] == largest);
  }
  CHECK(ProductInput(3).mean(2) == 0);
}

TEST_CASE("what rounding the weights loses on average can be given back") {
  // Inputs that hardly vary: all that rounding does to the product is a shift of each output.
  constexpr int64_t kN = 40, kK = 96, kRows = 6;
  Random random(39);
  const std::vector<float> w = random.uniform_vector(kN * kK, -1, 1), level = random.uniform_vector(kK, -3, 3);
  std::vector<float> x = random.uniform_vector(kRows * kK, -1e-3, 1e-3);
  for (size_t i = 0; i < x.size(); ++i) x[i] += level[i % kK];
  const PackedMatrix packed = packed_weights(w, kN, kK, DType::f32);
  ProductInput input(kK);
  input.see(matrix(x.data(), kRows, kK), 0, 1);
  const std::vector<float> factors = smoothing_factors(packed, input), lost = lost_to_rounding(packed, input, factors);
  const PackedInt8 bytes(packed, factors.data());
  const Int8View view = bytes.view(0);
  for (int64_t n = 0; n < kN; ++n) {
    // The product of the mean input with the weights as PackedInt8 has them.
    const int8_t* strip = view.strips + n / kStrip * kStrip * view.k_padded;
    double exact = 0, rounded = 0;
    for (int64_t i = 0; i < kK; ++i) {
      const auto mean = static_cast<double>(input.mean(i));
      exact += mean * static_cast<double>(w[static_cast<size_t>(n * kK + i)]);
      rounded += mean * static_cast<double>(view.multiplier[i]) * static_cast<double>(view.scale[n]) *
                 strip[(i / 4 * kStrip + n % kStrip) * 4 + i % 4];
    }
    CHECK(std::fabs(exact - rounded - static_cast<double>(lost[static_cast<size_t>(n)])) < 1e-4);
  }
}

TEST_CASE("int8 and fp8: a calibration that was kept in a file gives the same models, and no other ones") {
  const ChineseClipConfig config = config_of(32, 48);
  const TempDir directory;
  const Checkpoint checkpoint = Checkpoint::open(write_random_checkpoint(directory, config, 71));
  CalibrationInputs inputs;
  for (int32_t i = 0; i < 30; ++i) inputs.ids.push_back(i * 3);
  inputs.offsets = {0, 7, 30};
  const auto exact = ChineseClip::load(checkpoint, config);
  const std::string file = (directory.path() / "scales.safetensors").string();
  save_calibration(Calibration::run(*exact, inputs, 2), *exact, file);
  Random random(72);
  const Batch batch(config, random);
  for (const Precision precision : {Precision::int8, Precision::fp8}) {
    const auto seen = ChineseClip::load(checkpoint, config, {.precision = precision, .calibration = &inputs});
    const auto kept = ChineseClip::load(checkpoint, config, {.precision = precision, .calibration_file = file});
    const auto built_in = ChineseClip::load(checkpoint, config, {.precision = precision});
    CHECK(encode(kept, batch, reference_table(), 1) == encode(seen, batch, reference_table(), 1));
    CHECK(encode(kept, batch, reference_table(), 1) != encode(built_in, batch, reference_table(), 1));
    // One tower alone is made by its part.
    CHECK(ChineseClip::load(checkpoint, config, {.precision = precision, .calibration_file = file}, Towers::text)
              ->precision() == precision);
  }
  const TempDir other;
  const Checkpoint another = Checkpoint::open(write_random_checkpoint(other, config, 73));
  expect_error(
      ErrorCode::shape_mismatch,
      [&] { ChineseClip::load(another, config, {.precision = Precision::fp8, .calibration_file = file}); },
      "scales.safetensors", "text.weights", "another model");
  expect_error(
      ErrorCode::missing_tensor,
      [&] {
        const std::string weights = (other.path() / "model.safetensors").string();
        ChineseClip::load(another, config, {.precision = Precision::fp8, .calibration_file = weights});
      },
      "model.safetensors", "text.weights");
  expect_error(
      ErrorCode::io_error,
      [&] { ChineseClip::load(another, config, {.precision = Precision::int8, .calibration_file = "no/such.file"}); },
      "no/such.file");
}
