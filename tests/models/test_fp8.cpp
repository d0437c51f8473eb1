// FP8 models: made from any checkpoint at load, what the numbers of E4M3 permit away from f32, the same on every table.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.h"
#include "kernels/select.h"
#include "models/fp8.h"
#include "models/session.h"
#include "tests/support/expect_error.h"
#include "tests/support/packed.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

using namespace tw;
using namespace tw::test;

namespace {

bool is_power_of_two(float f) { return f > 0 && std::ldexp(0.5f, std::ilogb(f) + 1) == f; }

struct Inputs {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0, 1, 20, 80};
  std::vector<float> pixels;

  explicit Inputs(const ChineseClipConfig& c) {
    Random random(42);
    for (int64_t i = 0; i < offsets.back(); ++i)
      ids.push_back(static_cast<int32_t>(random.integer(0, c.text.vocab_size - 1)));
    pixels = random.uniform_vector(2 * 3 * c.vision.image_size * c.vision.image_size, -1.8, 2.2);
  }
};

// Three texts, two pictures.
std::vector<float> encode(const std::shared_ptr<const ChineseClip>& model, const Inputs& in, const KernelTable* table,
                          int64_t max_rows = 400) {
  Session session(model, {.threads = 2, .max_rows = max_rows, .kernels = table});
  const auto width = static_cast<size_t>(model->embedding_width());
  std::vector<float> out(5 * width);
  session.encode_texts({in.ids, in.offsets, {}, {}}, std::span(out).first(3 * width));
  session.encode_images({in.pixels.data(), false, nullptr, 2}, std::span(out).last(2 * width));
  return out;
}

double worst_cosine(const std::vector<float>& a, const std::vector<float>& b, int64_t width) {
  double worst = 1;
  for (size_t first = 0; first < a.size(); first += static_cast<size_t>(width)) {
    double dot = 0;
    for (size_t i = first; i < first + static_cast<size_t>(width); ++i)
      dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    worst = std::min(worst, dot);
  }
  return worst;
}

}  // namespace

TEST_CASE("fp8: weights lie on the grid of E4M3 under factors that are powers of two") {
  Random random(1);
  const int64_t n = 37, k = 75;
  std::vector<float> w = random.heavy_tailed_vector(n * k);
  for (int64_t i = 0; i < k; ++i) w[static_cast<size_t>(5 * k + i)] = 0;
  Linear linear;
  linear.weights = packed_weights(w, n, k, DType::f32);
  ProductInput input(k);
  std::vector<float> seen = random.normal_vector(3 * k);
  seen[17] = -50;
  input.see(matrix(seen.data(), 3, k), 0, 1);
  make_fp8(linear, input);

  CHECK(is_power_of_two(linear.fp8.input));
  CHECK(50 * linear.fp8.input <= kLargestE4m3 / 2);
  CHECK(50 * linear.fp8.input > kLargestE4m3 / 8);
  const auto* factors = linear.fp8.weights.as<float>();
  const PackedMatrix e4m3 = linear.weights.as_e4m3(factors);
  CHECK(e4m3.bytes() == 48 * 128);
  const auto* halves = static_cast<const uint16_t*>(linear.weights.strip_at(0));
  const auto* bytes = static_cast<const uint8_t*>(e4m3.strip_at(0));
  for (int64_t r = 0; r < n; ++r) {
    float largest = 0;
    for (int64_t c = 0; c < k; ++c) largest = std::max(largest, std::fabs(w[static_cast<size_t>(r * k + c)]));
    CHECK(is_power_of_two(factors[r]));
    CHECK(largest * factors[r] <= kLargestE4m3);
    CHECK((largest == 0 || largest * factors[r] > kLargestE4m3 / 2));
    for (int64_t c = 0; c < k; ++c) {
      const float exact = w[static_cast<size_t>(r * k + c)];
      const float half = bf16_to_f32(halves[(r / 16 * 96 + c / 2 * 2) * 16 + r % 16 * 2 + c % 2]);
      const float byte = e4m3_to_f32(bytes[(r / 16 * 128 + c / 4 * 4) * 16 + r % 16 * 4 + c % 4]) / factors[r];
      if (half != byte) FAIL("row " << r << ", column " << c << ": " << half << " and " << byte);
      if (std::fabs(half - exact) > std::max(std::fabs(exact) / 16, 0x1p-10f / factors[r]))
        FAIL("row " << r << ", column " << c << ": " << half << " for " << exact);
    }
  }
}

TEST_CASE("fp8: a model is near f32, smaller, and the same on every table, in any slice") {
  ChineseClipConfig config = awkward_config();
  for (const bool causal : {false, true}) {  // whose attention is in f32
    CAPTURE(causal);
    config.text.is_decoder = causal;
    const TempDir directory;
    const Checkpoint checkpoint = Checkpoint::open(write_random_checkpoint(directory, config, 41));
    const auto exact = ChineseClip::load(checkpoint, config);
    const auto fp8 = ChineseClip::load(checkpoint, config, {.precision = Precision::fp8, .threads = 2});
    CHECK(fp8->precision() == Precision::fp8);
    CHECK(fp8->weight_bytes() < exact->weight_bytes());
    const Inputs in(config);
    const std::vector<float> expected = encode(exact, in, &reference_table()),
                             reference = encode(fp8, in, &reference_table());
    CHECK(worst_cosine(reference, expected, config.projection_dim) > 0.99);
    CHECK(worst_cosine(reference, expected, config.projection_dim) < 0.999999);  // the arithmetic is another one
    for (const KernelTable* table : available_tables(query_cpu())) {
      CAPTURE(table->name);
      const std::vector<float> found = encode(fp8, in, table);
      CHECK(worst_cosine(found, reference, config.projection_dim) > 0.999);
      CHECK(encode(fp8, in, table, 1) == found);
    }
  }
}

TEST_CASE("fp8: a model with cross-attention is refused") {
  ChineseClipConfig config = awkward_config();
  config.text.is_decoder = config.text.add_cross_attention = true;
  expect_error(
      ErrorCode::unsupported, [&] { load_random(config, 41, {.precision = Precision::fp8}); }, "fp8",
      "cross-attention");
}
