// Parity with the reference on this machine: every stage of a model against goldens, and both against the truth.
#include <algorithm>
#include <cmath>
#include <memory>

#include "api/boundary.h"
#include "api/golden_file.h"
#include "api/handles.h"
#include "api/occupied.h"
#include "kernels/select.h"

struct tuwen_verification {
  struct Stage {
    std::string name;
    tuwen_verified values;
  };
  std::vector<Stage> stages;
};

namespace tw {
namespace {

// What the project promises in f32: of a stage times 1 + the row's largest number (rounding goes with that), of
// embeddings and probabilities absolute.
constexpr double kStageLimit = 2e-5, kEmbeddingLimit = 1e-5, kProbabilityLimit = 1e-4;
// And of embeddings in other precisions, as cosines.
constexpr double kBf16Cosine = 0.999, kInt8Cosine = 0.985;

// Collects stages in the order in which they are computed.
class Verifier {
 public:
  Verifier(const LoadedModel& model, Session& session, const GoldenFile& goldens)
      : model_(model), session_(session), goldens_(goldens) {}

  std::vector<tuwen_verification::Stage> run() {
    read_inputs();
    if (goldens_.has("texts")) compare_ids();
    if (goldens_.has("images")) compare_pixels();
    const std::vector<float> texts = encode_texts(), images = encode_images();
    compare_probabilities(texts, images);
    return std::move(stages_);
  }

 private:
  void read_inputs();
  void compare_ids();
  void compare_pixels();
  std::vector<float> encode_texts();
  std::vector<float> encode_images();
  void compare_captured(const Capture& capture, const std::string& tower, int64_t layers);
  void compare_probabilities(std::span<const float> texts, std::span<const float> images);

  bool is_f32() const { return model_.clip->precision() == Precision::f32; }
  void add_exact(const std::string& name, size_t values, int64_t different);
  // `columns` of a row, for cosines. Golden values beyond `got` are an error, values of `got` beyond them are not
  // compared.
  void add(const std::string& name, std::span<const float> got, int64_t columns, double limit, bool absolute,
           double cosine_limit = 0);
  [[noreturn]] void does_not_fit(const std::string& name, int64_t expected, int64_t found) const {
    throw Error(ErrorCode::shape_mismatch, {.field = tensor_field(name),
                                            .expected = std::to_string(expected) + " values of this model",
                                            .found = std::to_string(found) + " in the goldens"});
  }

  const LoadedModel& model_;
  Session& session_;
  const GoldenFile& goldens_;
  std::vector<int32_t> ids_, type_ids_;
  std::vector<int64_t> offsets_ = {0};
  std::vector<float> pixels_;
  int64_t images_ = 0;
  std::vector<tuwen_verification::Stage> stages_;
};

void Verifier::read_inputs() {
  const std::vector<int64_t> shape = goldens_.shape("input_ids", 2);
  const std::vector<int64_t> ids = goldens_.i64("input_ids"), mask = goldens_.i64("attention_mask"),
                             types = goldens_.i64("token_type_ids");
  const auto as_long_as_ids = [&](const char* name, const std::vector<int64_t>& values) {
    if (values.size() != ids.size())
      does_not_fit(name, static_cast<int64_t>(ids.size()), static_cast<int64_t>(values.size()));
  };
  as_long_as_ids("attention_mask", mask), as_long_as_ids("token_type_ids", types);
  for (int64_t text = 0; text < shape[0]; ++text) {
    for (int64_t t = 0; t < shape[1]; ++t) {
      const auto at = static_cast<size_t>(text * shape[1] + t);
      if (mask[at] == 0) continue;
      ids_.push_back(static_cast<int32_t>(std::clamp<int64_t>(ids[at], -1, INT32_MAX)));
      type_ids_.push_back(static_cast<int32_t>(std::clamp<int64_t>(types[at], -1, INT32_MAX)));
    }
    offsets_.push_back(static_cast<int64_t>(ids_.size()));
  }
  pixels_ = goldens_.f32("pixel_values");
  images_ = goldens_.shape("pixel_values", 4)[0];
  const VisionConfig& v = model_.clip->config().vision;
  const int64_t each = v.num_channels * v.image_size * v.image_size;
  if (static_cast<int64_t>(pixels_.size()) != images_ * each)
    does_not_fit("pixel_values", images_ * each, static_cast<int64_t>(pixels_.size()));
}

// Of so many values, nothing known to be wrong with them.
tuwen_verified verified(size_t values) {
  tuwen_verified v = {};
  v.values = static_cast<int64_t>(values);
  v.cosine = 1;
  v.to_exact = v.reference_to_exact = -1;
  return v;
}

void see(tuwen_verified& v, double got, double golden, double unit) {
  const double error = std::abs(got - golden) / unit;
  v.different += got == golden ? 0 : 1;
  if (!(error <= v.error || std::isnan(v.error))) v.error = error;  // a NaN is the largest
}

void judge(tuwen_verified& v) {
  v.passed = (v.limit == 0 || v.error <= v.limit) && v.cosine >= v.cosine_limit && !std::isnan(v.error) ? 1 : 0;
}

void Verifier::add_exact(const std::string& name, size_t values, int64_t different) {
  tuwen_verified v = verified(values);
  v.different = different;
  v.passed = different == 0 ? 1 : 0;
  stages_.push_back({name, v});
}

void Verifier::compare_ids() {
  const std::vector<std::string> texts = goldens_.items("texts");
  EncodeOptions options;
  options.truncation = Truncation::longest_first;
  options.max_length = model_.clip->config().text.max_position_embeddings;
  const std::vector<EncodeInput> inputs(texts.begin(), texts.end());
  const EncodedBatch batch = model_.processor->tokenizer.encode_batch(inputs, options);
  const size_t common = std::min(batch.ids.size(), ids_.size());
  int64_t different = static_cast<int64_t>(std::max(batch.ids.size(), ids_.size()) - common);
  for (size_t i = 0; i < common; ++i) different += batch.ids[i] != ids_[i] ? 1 : 0;
  if (different == 0 && batch.row_begin != offsets_) different = 1;
  add_exact("token ids", ids_.size(), different);
}

void Verifier::compare_pixels() {
  const std::vector<std::string> files = goldens_.items("images");
  const ImageProcessor& processor = *model_.encoder_input;
  const ResizeFunctions resize = resize_functions(session_.kernels());
  const size_t each = images_ == 0 ? 0 : pixels_.size() / static_cast<size_t>(images_);
  if (static_cast<int64_t>(files.size()) != images_)
    does_not_fit("images.begin", images_, static_cast<int64_t>(files.size()));
  ImageScratch scratch;
  PreparedImage prepared;
  int64_t different = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(files[i].data()), files[i].size());
    processor.prepare(decode_image(bytes, "image[" + std::to_string(i) + "]"), resize, scratch, prepared);
    std::vector<float> values(prepared.rgb.size());
    processor.write_values(prepared, values);
    if (values.size() != each)
      does_not_fit("pixel_values", static_cast<int64_t>(values.size()), static_cast<int64_t>(each));
    for (size_t p = 0; p < each; ++p) different += values[p] != pixels_[i * each + p] ? 1 : 0;
  }
  add_exact("pixels", pixels_.size(), different);
}

double distance(std::span<const float> got, std::span<const double> exact) {
  double error = 0, size = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double d = static_cast<double>(got[i]) - exact[i];
    error += d * d;
    size += exact[i] * exact[i];
  }
  return std::sqrt(error / size);
}

void Verifier::add(const std::string& name, std::span<const float> got, int64_t columns, double limit, bool absolute,
                   double cosine_limit) {
  const std::vector<float> golden = goldens_.f32(name);
  if (golden.size() > got.size() || columns == 0 || golden.size() % static_cast<size_t>(columns) != 0)
    does_not_fit(name, static_cast<int64_t>(got.size()), static_cast<int64_t>(golden.size()));
  tuwen_verified v = verified(golden.size());
  for (size_t row = 0; row < golden.size(); row += static_cast<size_t>(columns)) {
    double dot = 0, a2 = 0, b2 = 0, largest = 0;
    for (size_t i = row; i < row + static_cast<size_t>(columns); ++i)
      largest = std::max(largest, std::abs(static_cast<double>(golden[i])));
    const double unit = absolute ? 1 : 1 + largest;
    for (size_t i = row; i < row + static_cast<size_t>(columns); ++i) {
      const auto a = static_cast<double>(got[i]), b = static_cast<double>(golden[i]);
      see(v, a, b, unit);
      dot += a * b, a2 += a * a, b2 += b * b;
    }
    if (a2 > 0 && b2 > 0) v.cosine = std::min(v.cosine, dot / std::sqrt(a2 * b2));
  }
  v.limit = is_f32() ? limit : 0;
  v.cosine_limit = is_f32() ? 0 : cosine_limit;
  judge(v);
  if (goldens_.has("exact." + name)) {
    const std::vector<double> exact = goldens_.f64("exact." + name);
    if (exact.size() != golden.size())
      does_not_fit("exact." + name, static_cast<int64_t>(golden.size()), static_cast<int64_t>(exact.size()));
    v.to_exact = distance(got, exact);
    v.reference_to_exact = distance(golden, exact);
  }
  stages_.push_back({name, v});
}

// The names under which results are captured, in the order in which they are computed.
std::vector<std::string> stages_of(const std::string& tower, int64_t layers) {
  const bool text = tower == "text";
  std::vector<std::string> names;
  const auto add = [&](const std::string& prefix, std::initializer_list<const char*> list) {
    for (const char* name : list) names.push_back(prefix + name);
  };
  text ? add("text.", {"embeddings"}) : add("vision.", {"patches", "embeddings", "pre_layernorm"});
  for (int64_t i = 0; i < layers; ++i) {
    const std::string layer = tower + ".layers." + std::to_string(i) + ".";
    text ? add(layer, {"context", "attention", "mlp", "output"})
         : add(layer, {"norm1", "context", "attention", "norm2", "mlp", "output"});
  }
  names.push_back(tower + ".pooled");
  add(text ? "text." : "image.", {"features", "embeds"});
  return names;
}

void Verifier::compare_captured(const Capture& capture, const std::string& tower, int64_t layers) {
  if (capture.out_of_memory()) throw std::bad_alloc();
  const double cosine = model_.clip->precision() == Precision::int8 ? kInt8Cosine : kBf16Cosine;
  for (const std::string& name : stages_of(tower, layers)) {
    const auto found = capture.results().find(name);
    if (found == capture.results().end() || !goldens_.has(name)) continue;
    const Captured& captured = found->second;
    const bool embeds = name.ends_with(".embeds");
    if (name == "vision.patches") {  // the goldens lack the row of the class token
      const int64_t tokens = model_.clip->config().vision.tokens();
      std::vector<float> rows;
      for (int64_t r = 0; r < captured.rows; ++r) {
        const auto begin = captured.values.begin() + r * captured.columns;
        if (r % tokens != 0) rows.insert(rows.end(), begin, begin + captured.columns);
      }
      add(name, rows, captured.columns, kStageLimit, false);
      continue;
    }
    add(name, captured.values, captured.columns, embeds ? kEmbeddingLimit : kStageLimit, embeds, embeds ? cosine : 0);
  }
}

std::vector<float> Verifier::encode_texts() {
  Capture capture("text.");
  std::vector<float> embeds((offsets_.size() - 1) * static_cast<size_t>(model_.clip->embedding_width()));
  session_.encode_texts({.ids = ids_, .offsets = offsets_, .type_ids = type_ids_}, embeds, {.capture = &capture});
  compare_captured(capture, "text", model_.clip->config().text.num_hidden_layers);
  return embeds;
}

std::vector<float> Verifier::encode_images() {
  Capture capture("vision. image.");
  std::vector<float> embeds(static_cast<size_t>(images_ * model_.clip->embedding_width()));
  session_.encode_images({.pixels = pixels_.data(), .count = images_}, embeds, {.capture = &capture});
  compare_captured(capture, "vision", model_.clip->config().vision.num_hidden_layers);
  return embeds;
}

void Verifier::compare_probabilities(std::span<const float> texts, std::span<const float> images) {
  const auto count = static_cast<int64_t>(offsets_.size()) - 1;
  const std::vector<float> golden = goldens_.f32("logits_per_image");
  if (static_cast<int64_t>(golden.size()) != images_ * count)
    does_not_fit("logits_per_image", images_ * count, static_cast<int64_t>(golden.size()));
  std::vector<float> per_text(golden.size()), per_image(golden.size()), ours(golden.size()), reference(golden.size());
  session_.compare(texts, images, per_text);
  transpose(per_image, per_text, count, images_);
  probabilities(ours, per_image, images_, count);
  probabilities(reference, golden, images_, count);
  tuwen_verified v = verified(golden.size());
  for (size_t i = 0; i < golden.size(); ++i) see(v, static_cast<double>(ours[i]), static_cast<double>(reference[i]), 1);
  v.limit = is_f32() ? kProbabilityLimit : 0;
  judge(v);
  stages_.push_back({"probabilities", v});
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_verify(tuwen_session* session, const char* goldens, tuwen_verification** verification) {
  return guarded([&] {
    const Occupied occupied(not_null(session, "session").busy);
    const LoadedModel& loaded = *session->loaded;
    not_null(verification, "verification");
    if (loaded.clip->text() == nullptr || loaded.clip->vision() == nullptr || !loaded.processor.has_value())
      throw_argument("session", "a model with both towers and its processor", "less");
    const GoldenFile file(checked_path(goldens, "goldens"));
    auto result = std::make_unique<tuwen_verification>();
    result->stages = Verifier(loaded, session->session, file).run();
    *verification = result.release();
  });
}

void tuwen_verification_free(tuwen_verification* verification) { delete verification; }

size_t tuwen_verification_count(const tuwen_verification* verification) {
  return verification == nullptr ? 0 : verification->stages.size();
}

tuwen_status tuwen_verification_at(const tuwen_verification* verification, size_t index, tuwen_verified* verified) {
  return guarded([&] {
    const auto& stages = not_null(verification, "verification").stages;
    if (index >= stages.size())
      throw_argument("index", "less than " + std::to_string(stages.size()), std::to_string(index));
    tuwen_verified value = stages[index].values;
    value.stage = stages[index].name.c_str();
    write_info(verified, value, "verified");
  });
}
