// Both towers in sessions on the device under test, the code of models/ over the CUDA table, against the same on the
// CPU.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.h"
#include "tests/cuda/tower_cases.h"
#include "tests/cuda/under_test.h"

namespace tw::test {
namespace {

void check_model(const char* what, const ChineseClipConfig& config, Precision precision, double permitted) {
  const Device under_test = device_under_test();
  const auto model = load(config, precision);
  const Inputs in(config);
  Session cpu(model, {.threads = 1}), device(model, {.threads = 2, .device = under_test});
  const double difference = largest_difference(encode_all(device, in), encode_all(cpu, in));
  CHECK(difference <= permitted);
  report(what, difference / permitted);
}

}  // namespace

TEST_CASE("cuda: both towers in f32 are within 1e-5 of the CPU's") {
  check_model("towers in f32", small_awkward_config(), Precision::f32, 1e-5);
}

TEST_CASE("cuda: both towers in bf16 are as close to the CPU's as roundings permit") {
  check_model("towers in bf16", small_awkward_config(), Precision::bf16, 0.02);
}

TEST_CASE("cuda: both towers in f16 are nearer to the CPU's f32 than those in bf16") {
  const ChineseClipConfig config = small_awkward_config();
  const Device under_test = device_under_test();
  const Inputs in(config);
  Session cpu(load(config), {.threads = 1});
  const std::vector<float> expected = encode_all(cpu, in);
  const auto distance = [&](Precision precision) {
    Session device(load(config, precision), {.threads = 2, .device = under_test});
    const std::vector<float> found = encode_all(device, in);
    Session small(load(config, precision), {.max_rows = 1, .device = under_test});
    CHECK(encode_all(small, in) == found);
    return largest_difference(found, expected);
  };
  const double f16 = distance(Precision::f16);
  CHECK(f16 < 2e-3);
  CHECK(f16 < distance(Precision::bf16) / 3);
  report("towers in f16", f16 / 2e-3);
}

TEST_CASE("cuda: both towers in FP8 compute what the CPU computes on rounded numbers, and stay near f32") {
  const Device under_test = device_under_test();
  if (!under_test.fp8) return;
  ChineseClipConfig wide = tiny_config();  // attention in f32
  wide.text.hidden_size = 140;
  wide.text.num_attention_heads = 1;
  wide.vision.hidden_size = 272;
  for (const ChineseClipConfig& config : {small_awkward_config(), wide}) {
    const Inputs in(config);
    const auto model = load(config, Precision::fp8);
    Session exact(load(config), {.threads = 1}), cpu(model, {.threads = 1}),
        device(model, {.threads = 2, .device = under_test}), small(model, {.max_rows = 1, .device = under_test});
    const std::vector<float> expected = encode_all(exact, in), found = encode_all(device, in);
    // A number next to the middle of two of E4M3 may fall either way: a sixteenth of it.
    CHECK(largest_difference(found, encode_all(cpu, in)) < 0.06);
    CHECK(encode_all(small, in) == found);
    CHECK(encode_all(device, in) == found);
    const auto width = static_cast<size_t>(model->embedding_width());
    double worst = 1;
    for (size_t first = 0; first < found.size(); first += width) {
      double dot = 0;
      for (size_t i = first; i < first + width; ++i)
        dot += static_cast<double>(found[i]) * static_cast<double>(expected[i]);
      worst = std::min(worst, dot);
    }
    CHECK(worst > 0.99);
    report("towers in FP8, cosine to f32", (1 - worst) / 0.01);
  }
}

TEST_CASE("cuda: heads too wide for the bf16 kernel are attended to in f32") {
  ChineseClipConfig c = tiny_config();
  c.text.hidden_size = 140;
  c.text.num_attention_heads = 1;
  c.vision.hidden_size = 272;
  check_model("towers in bf16, wide heads", c, Precision::bf16, 0.02);
}

TEST_CASE("cuda session: an embedding has the same bits alone, in slices and again; raw ones are longer") {
  const Device under_test = device_under_test();
  const auto model = load(tiny_config());
  const Inputs in(tiny_config());
  Session small(model, {.max_rows = 1, .device = under_test}), large(model, {.device = under_test});
  const std::vector<float> expected = encode_all(large, in);
  CHECK(encode_all(small, in) == expected);
  CHECK(encode_all(large, in) == expected);
  Session cpu(model, {});
  CHECK(largest_difference(encode_all(large, in, {.normalize = false}), encode_all(cpu, in, {.normalize = false})) <
        1e-4);
  const std::vector<int32_t> types(in.ids.size(), 1), positions(in.ids.size(), 3);
  const TextBatch given{in.ids, in.offsets, types, positions};
  std::vector<float> here(3 * 12), there(3 * 12);
  cpu.encode_texts(given, here);
  large.encode_texts(given, there);
  CHECK(largest_difference(here, there) < 1e-5);
  std::vector<float> logits(9), logits_there(9);
  cpu.compare(here, here, logits);
  large.compare(here, here, logits_there);
  CHECK(logits == logits_there);
}

TEST_CASE("cuda session: what is recorded runs with the inputs that are there now") {
  const Device under_test = device_under_test();
  const auto model = load(tiny_config());
  Inputs in(tiny_config());
  Session device(model, {.device = under_test}), cpu(model, {});
  for (int times = 0; times < 4; ++times) {
    CAPTURE(times);
    CHECK(largest_difference(encode_all(device, in), encode_all(cpu, in)) < 1e-5);
    std::rotate(in.ids.begin(), in.ids.begin() + 1, in.ids.end());
    std::rotate(in.bytes.begin(), in.bytes.begin() + 1, in.bytes.end());
    std::rotate(in.values.begin(), in.values.begin() + 1, in.values.end());
  }
}

TEST_CASE("cuda session: in bf16 too an embedding has the same bits alone, in slices and again") {
  const Device under_test = device_under_test();
  const auto model = load(tiny_config(), Precision::bf16);
  const Inputs in(tiny_config());
  Session small(model, {.max_rows = 1, .device = under_test}), large(model, {.device = under_test});
  const std::vector<float> expected = encode_all(large, in);
  CHECK(encode_all(small, in) == expected);
  CHECK(encode_all(large, in) == expected);
}

TEST_CASE("cuda session: a forked child is told that the session is its parent's") {
  const Device under_test = device_under_test();
  const auto model = load(tiny_config());
  const Inputs in(tiny_config());
  Session session(model, {.device = under_test});
  const std::vector<float> expected = encode_all(session, in);
  const pid_t child = fork();
  if (child == 0) {
    bool told = false;
    try {
      encode_all(session, in);
    } catch (const Error& e) {
      told = std::string(e.what()).find("forked") != std::string::npos;
    }
    _exit(told ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(encode_all(session, in) == expected);
}

}  // namespace tw::test
