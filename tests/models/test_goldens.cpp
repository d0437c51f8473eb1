// Both towers against the reference implementation, intermediate by intermediate: every golden model, every kernel
// table this machine can run, one thread and two. What the goldens are: scripts/make_goldens.py.
#include <catch2/catch.hpp>
#include <cmath>
#include <optional>
#include <set>
#include <span>
#include <sstream>

#include "kernels/select.h"
#include "tests/support/golden_model.h"

using namespace tw;
using namespace tw::test;

namespace {

// The accuracy that the project promises.
constexpr double kIntermediate = 2e-5;  // times 1 + |reference|
constexpr double kEmbedding = 1e-5;     // of a normalised embedding's components

struct Tolerance {
  double absolute, relative;
};
constexpr Tolerance kForIntermediates{kIntermediate, kIntermediate}, kForEmbeddings{kEmbedding, 0};

// What is wrong with `got`, or nothing.
std::optional<std::string> difference(const std::string& name, std::span<const float> got,
                                      std::span<const float> expected, Tolerance tolerance) {
  std::ostringstream what;
  what.precision(9);
  what << name << ": ";
  if (got.size() != expected.size()) {
    what << "expected " << expected.size() << " values, found " << got.size();
    return what.str();
  }
  for (size_t i = 0; i < got.size(); ++i) {
    const auto reference = static_cast<double>(expected[i]);
    const double error = std::abs(static_cast<double>(got[i]) - reference);
    const double bound = tolerance.absolute + tolerance.relative * std::abs(reference);
    if (error <= bound) continue;  // false for NaN
    what << "value " << i << " of " << got.size() << ": expected " << reference << ", found " << got[i]
         << ", difference " << error << ", permitted " << bound;
    return what.str();
  }
  return std::nullopt;
}

// Captured results of one tower in the order in which they are computed.
std::vector<std::string> names_in_order(const std::string& tower, int64_t layers) {
  const bool text = tower == "text";
  const std::vector<std::string> before = text ? std::vector<std::string>{"embeddings"}
                                               : std::vector<std::string>{"patches", "embeddings", "pre_layernorm"};
  const std::vector<std::string> inside =
      text ? std::vector<std::string>{"context", "attention", "mlp", "output"}
           : std::vector<std::string>{"norm1", "context", "attention", "norm2", "mlp", "output"};
  std::vector<std::string> names;
  for (const std::string& name : before) names.push_back(tower + "." + name);
  for (int64_t layer = 0; layer < layers; ++layer)
    for (const std::string& name : inside) names.push_back(tower + ".layers." + std::to_string(layer) + "." + name);
  names.push_back(tower + ".pooled");
  names.push_back((text ? "text" : "image") + std::string(".features"));
  names.push_back((text ? "text" : "image") + std::string(".embeds"));
  return names;
}

// A captured matrix as the goldens hold it: the first images only, and patches without the class token's (empty) row.
std::vector<float> as_golden(const std::string& name, const Captured& captured, const GoldenArray<float>& golden,
                             int64_t tokens) {
  std::vector<float> values = captured.values;
  if (name == "vision.patches") {
    values.clear();
    for (int64_t row = 0; row < captured.rows; ++row) {
      const auto begin = captured.values.begin() + row * captured.columns;
      if (row % tokens != 0) values.insert(values.end(), begin, begin + captured.columns);
    }
  }
  if (name.starts_with("vision.") && values.size() > golden.values.size()) values.resize(golden.values.size());
  return values;
}

struct Run {
  const KernelTable* table;
  int threads;
};

std::vector<Run> runs() {
  std::vector<Run> all;
  for (const KernelTable* table : available_tables(query_cpu()))
    for (const int threads : {1, 2}) all.push_back({table, threads});
  return all;
}

SessionOptions options_of(const Run& run) { return {.threads = run.threads, .kernels = run.table}; }

std::string label(const GoldenModel& m, const Run& run) {
  return m.name + ", " + run.table->name + ", " + std::to_string(run.threads) + " threads: ";
}

// What was checked, over all calls: every golden must be among it.
using Checked = std::set<std::string>;

// Every row of every layer, with a capture.
void check_intermediates(const GoldenModel& m, const Run& run, Checked& checked) {
  Session session(m.model, options_of(run));
  Capture capture;
  EmbedOptions options;
  options.capture = &capture;
  std::vector<float> text_embeds(static_cast<size_t>(m.texts.texts() * m.width()));
  std::vector<float> image_embeds(static_cast<size_t>(m.images * m.width()));
  session.encode_texts(m.texts.batch(), text_embeds, options);
  session.encode_images(m.image_batch(), image_embeds, options);

  for (const std::string tower : {"text", "vision"}) {
    const int64_t layers =
        tower == "text" ? m.model->config().text.num_hidden_layers : m.model->config().vision.num_hidden_layers;
    for (const std::string& name : names_in_order(tower, layers)) {
      const auto found = capture.results().find(name);
      if (found == capture.results().end()) {
        FAIL_CHECK(label(m, run) << name << " was not captured");
        break;
      }
      const GoldenArray<float> golden = m.goldens.f32(name);
      checked.insert(name);
      const auto tolerance = name.ends_with(".embeds") ? kForEmbeddings : kForIntermediates;
      const int64_t tokens = m.model->config().vision.tokens();
      if (const auto wrong =
              difference(name, as_golden(name, found->second, golden, tokens), golden.values, tolerance)) {
        FAIL_CHECK(label(m, run) << "first divergence at " << *wrong);
        break;  // everything behind it in this tower is wrong too
      }
    }
  }
}

// As an application runs it: only what the embeddings need.
void check_results(const GoldenModel& m, const Run& run, Checked& checked) {
  Session session(m.model, options_of(run));
  const auto check = [&](const std::string& name, std::span<const float> got, Tolerance tolerance) {
    checked.insert(name);
    if (const auto wrong = difference(name, got, m.goldens.f32(name).values, tolerance))
      FAIL_CHECK(label(m, run) << *wrong);
  };
  EmbedOptions raw;
  raw.normalize = false;
  std::vector<float> text(static_cast<size_t>(m.texts.texts() * m.width()));
  std::vector<float> image(static_cast<size_t>(m.images * m.width()));
  session.encode_texts(m.texts.batch(), text, raw);
  check("text.features", text, kForIntermediates);
  session.encode_images(m.image_batch(), image, raw);
  check("image.features", image, kForIntermediates);
  if (m.goldens.has("moved.text.features")) {
    session.encode_texts(m.texts.moved(), text, raw);
    check("moved.text.features", text, kForIntermediates);
  }
  session.encode_texts(m.texts.batch(), text);
  check("text.embeds", text, kForEmbeddings);
  session.encode_images(m.image_batch(), image);
  check("image.embeds", image, kForEmbeddings);

  std::vector<float> per_text(static_cast<size_t>(m.texts.texts() * m.images)), per_image(per_text.size());
  session.compare(text, image, per_text);
  check("logits_per_text", per_text, kForIntermediates);
  transpose(per_image, per_text, m.texts.texts(), m.images);
  check("logits_per_image", per_image, kForIntermediates);
  if (m.goldens.has("loss")) {
    const float loss = contrastive_loss(per_text, m.images);
    check("loss", {&loss, 1}, kForIntermediates);
  }
}

}  // namespace

TEST_CASE("both towers agree with the reference at every step") {
  const std::vector<std::string> names = golden_models();
  CHECK(names.size() == 6);
  for (const std::string& name : names) {
    const GoldenModel m(name);
    Checked checked;
    for (const Run& run : runs()) {
      check_intermediates(m, run, checked);
      check_results(m, run, checked);
    }
    const Checked inputs{"input_ids", "attention_mask", "token_type_ids", "pixel_values", "moved.position_ids"};
    for (const std::string& golden : m.goldens.names())
      if (!inputs.contains(golden) && !checked.contains(golden)) FAIL_CHECK(name << ": nothing checks " << golden);
  }
}

TEST_CASE("goldens: a difference is found and named") {
  const std::vector<float> expected{1.0f, -2.0f, 0.0f}, nan{1.0f, NAN, 0.0f};
  std::vector<float> got = expected;
  CHECK_FALSE(difference("x", got, expected, kForIntermediates).has_value());
  got[1] = -2.00007f;
  const auto found = difference("x", got, expected, kForIntermediates);
  REQUIRE(found.has_value());
  CHECK_THAT(*found, Catch::Matchers::StartsWith("x: value 1 of 3"));
  CHECK(difference("x", nan, expected, kForIntermediates).has_value());
  CHECK(difference("x", std::span(expected).first(2), expected, kForIntermediates).has_value());
}
