// The fast plan: large products of the image tower by Strassen's algorithm.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "kernels/select.h"
#include "models/session.h"
#include "tests/support/expect_error.h"
#include "tests/support/fake_device.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

using namespace tw;
using namespace tw::test;

namespace {

// Two blocks of the least size at which the rule applies, 145 tokens.
ChineseClipConfig wide_config() {
  ChineseClipConfig c = awkward_config();
  c.vision.hidden_size = 1024;
  c.vision.num_attention_heads = 16;
  c.vision.intermediate_size = 1024;
  c.vision.image_size = 48;
  c.vision.patch_size = 4;
  return c;
}

struct Models {
  ChineseClipConfig config = wide_config();
  TempDir directory;
  Checkpoint checkpoint = Checkpoint::open(write_random_checkpoint(directory, config, 91));
  std::shared_ptr<const ChineseClip> exact = ChineseClip::load(checkpoint, config, {.threads = 2});
  std::shared_ptr<const ChineseClip> fast = ChineseClip::load(checkpoint, config, {.plan = Plan::fast, .threads = 2});
  std::vector<float> pixels = Random(92).uniform_vector(3 * 3 * 48 * 48, -1.8, 2.2);

  // Embeddings of pictures [first, first + count).
  std::vector<float> encode(const std::shared_ptr<const ChineseClip>& model, size_t first, size_t count,
                            SessionOptions options) const {
    Session session(model, options);
    std::vector<float> out(count * static_cast<size_t>(config.projection_dim));
    const float* from = pixels.data() + first * pixels.size() / 3;
    session.encode_images({from, false, nullptr, static_cast<int64_t>(count)}, out);
    return out;
  }
};

}  // namespace

TEST_CASE(
    "the fast plan: embeddings within 1e-5, the same bits alone, in a batch and with any threads, on every table") {
  const Models m;
  CHECK(m.exact->plan() == Plan::exact);
  CHECK(m.fast->plan() == Plan::fast);
  for (const KernelTable* table : available_tables(query_cpu())) {
    if (table == &reference_table()) continue;
    INFO(table->name);
    const std::vector<float> exact = m.encode(m.exact, 0, 3, {.threads = 2, .kernels = table});
    const std::vector<float> fast = m.encode(m.fast, 0, 3, {.threads = 2, .kernels = table});
    double worst = 0;
    for (size_t i = 0; i < exact.size(); ++i)
      worst = std::max(worst, static_cast<double>(std::abs(exact[i] - fast[i])));
    CHECK(worst > 0);  // it does take part
    CHECK(worst < 1e-5);
    const size_t width = exact.size() / 3;
    for (const int threads : {1, 3}) {
      const std::vector<float> last = m.encode(m.fast, 2, 1, {.threads = threads, .kernels = table});
      CHECK(std::ranges::equal(last, std::span(fast).last(width)));
    }
    // A slice an item.
    CHECK(m.encode(m.fast, 0, 3, {.threads = 2, .max_rows = 145, .kernels = table}) == fast);
  }
}

TEST_CASE("the fast plan: weights of all blocks but the last, as much memory as was said, none beyond a budget") {
  const Models m;
  const int64_t plain = int64_t{1024} * 1024 * 4;  // bytes of each of two matrices
  CHECK(m.fast->weight_bytes() - m.exact->weight_bytes() == 2 * (plain * 7 / 4 - plain));
  const LoadOptions options = {.plan = Plan::fast};
  CHECK(ChineseClip::measure(m.checkpoint, m.config, options) == m.fast->weight_bytes());
  int packed = 0, plain_ones = 0;
  m.fast->vision()->for_each_linear([&](const Linear& w) { w.strassen.bytes() > 0 ? ++packed : ++plain_ones; });
  CHECK(packed == 2);
  CHECK(plain_ones == 6);
  LoadOptions tight = options;
  tight.memory_budget = m.fast->weight_bytes() - 1;
  expect_error(
      ErrorCode::limit_exceeded, [&] { ChineseClip::load(m.checkpoint, m.config, tight); }, "memory budget");
  for (const SessionOptions& how : {SessionOptions{.threads = 2}, SessionOptions{.threads = 1, .max_rows = 300}}) {
    const int64_t bytes = Session::scratch_bytes(*m.fast, how);
    CHECK(bytes > Session::scratch_bytes(*m.exact, how));
    CHECK(Session(m.fast, how).scratch_bytes() == bytes);
  }
  const ChineseClipConfig narrow = awkward_config();
  const std::shared_ptr<const ChineseClip> unchanged = load_random(narrow, 93, options);
  CHECK(unchanged->weight_bytes() == load_random(narrow, 93)->weight_bytes());
}

TEST_CASE("the fast plan: eight bits are refused by name, other precisions are on the CPU what they are") {
  const ChineseClipConfig config = awkward_config();
  expect_error(
      ErrorCode::unsupported, [&] { load_random(config, 94, {.precision = Precision::int8, .plan = Plan::fast}); },
      "plan fast", "int8");
  const std::vector<float> pixels = Random(96).uniform_vector(3 * 32 * 32, -1.8, 2.2);
  for (const Precision precision : {Precision::bf16, Precision::fp8}) {
    std::vector<float> out[2];
    for (const Plan plan : {Plan::exact, Plan::fast}) {
      const auto model = load_random(config, 94, {.precision = precision, .plan = plan});
      std::vector<float>& embedding = out[static_cast<int>(plan)];
      embedding.resize(static_cast<size_t>(model->embedding_width()));
      Session(model, {}).encode_images({pixels.data(), false, nullptr, 1}, embedding);
    }
    CHECK(out[0] == out[1]);
  }
}

TEST_CASE("the fast plan: weights for Strassen products are of no use on a device") {
  const Models m;
  const Device device{device_handle(kFake, 1)};
  expect_error(
      ErrorCode::unsupported, [&] { m.fast->on_device(device); }, "fake", "exact plan");
}

TEST_CASE("the fast plan: every row of every layer, of pictures of another size too") {
  const Models m;
  for (const int64_t side : {48, 32}) {  // of 145 and of 65 tokens
    CAPTURE(side);
    const std::vector<float> pixels = Random(95).uniform_vector(2 * 3 * side * side, -1.8, 2.2);
    const auto last_hidden_state = [&](const std::shared_ptr<const ChineseClip>& model) {
      Session session(model, {.threads = 2});
      VisionForward request;
      request.wanted.last_hidden_state = true;
      request.pixel_values = {pixels.data(), 4, {2, 3, side, side}};
      request.interpolate = side != 48;
      const Outputs out = session.forward(request, {});
      const Outputs::Array& states = *out.find("last_hidden_state");
      const float* values = states.values.as<float>();
      return std::vector<float>(values, values + states.values.size() / size_of(DType::f32));
    };
    const std::vector<float> exact = last_hidden_state(m.exact), fast = last_hidden_state(m.fast);
    REQUIRE(exact.size() == fast.size());
    double worst = 0, largest = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
      worst = std::max(worst, static_cast<double>(std::abs(exact[i] - fast[i])));
      largest = std::max(largest, static_cast<double>(std::abs(exact[i])));
    }
    CHECK(worst > 0);
    CHECK(worst < 1e-5 * largest);
  }
}
