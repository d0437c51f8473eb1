// bf16 models: close to f32 at every step, on every table.
#include <catch2/catch.hpp>
#include <cmath>

#include "kernels/select.h"
#include "models/session.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

using namespace tw;
using namespace tw::test;

namespace {

// |a - b| / |b| as vectors.
double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    difference += (x - y) * (x - y), size += y * y;
  }
  return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("a bf16 model follows the f32 model at every step, on every table") {
  const ChineseClipConfig config = awkward_config();
  const TempDir directory;
  const Checkpoint checkpoint = Checkpoint::open(write_random_checkpoint(directory, config, 41));
  const auto exact = ChineseClip::load(checkpoint, config);
  const auto half = ChineseClip::load(checkpoint, config, {.precision = Precision::bf16, .threads = 2});
  CHECK(half->precision() == Precision::bf16);
  CHECK(half->weight_bytes() < exact->weight_bytes() * 3 / 4);

  Random random(42);
  std::vector<int32_t> ids;
  const std::vector<int64_t> offsets = {0, 1, 20, 80};
  for (int64_t i = 0; i < offsets.back(); ++i)
    ids.push_back(static_cast<int32_t>(random.integer(0, config.text.vocab_size - 1)));
  const std::vector<float> pixels = random.uniform_vector(2 * 3 * 30 * 30, -1.8, 2.2);
  const auto captured = [&](const std::shared_ptr<const ChineseClip>& model, const KernelTable& table,
                            Capture& capture) {
    Session session(model, {.threads = 2, .kernels = &table});
    std::vector<float> out(3 * static_cast<size_t>(config.projection_dim));
    EmbedOptions options;
    options.capture = &capture;
    session.encode_texts({ids, offsets, {}, {}}, out, options);
    session.encode_images({pixels.data(), false, nullptr, 2}, std::span(out).first(2 * out.size() / 3), options);
  };
  Capture expected;
  captured(exact, reference_table(), expected);
  for (const KernelTable* table : available_tables(query_cpu())) {
    Capture got;
    captured(half, *table, got);
    REQUIRE(got.results().size() == expected.results().size());
    for (const auto& [name, value] : expected.results()) {
      INFO(table->name << " " << name);
      const double distance = relative_distance(got.results().at(name).values, value.values);
      CHECK(distance < 0.03);
      CHECK((distance > 0 || name == "text.embeddings"));  // the arithmetic is another one
    }
  }
}

TEST_CASE("a bf16 model without captures computes what it computes with them, to its precision") {
  const ChineseClipConfig config = awkward_config();
  const auto model = load_random(config, 43, {.precision = Precision::bf16});
  Random random(44);
  const std::vector<float> pixels = random.uniform_vector(3 * 30 * 30, -1.8, 2.2);
  for (const KernelTable* table : available_tables(query_cpu())) {
    INFO(table->name);
    Session session(model, {.kernels = table});
    std::vector<float> plain(static_cast<size_t>(config.projection_dim)), shown(plain.size());
    Capture capture;
    EmbedOptions options;
    session.encode_images({pixels.data(), false, nullptr, 1}, plain, options);
    options.capture = &capture;
    session.encode_images({pixels.data(), false, nullptr, 1}, shown, options);
    CHECK(relative_distance(plain, shown) < 1e-5);
  }
}
