#include "cli/label_weights.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "cli/evaluation_texts.h"
#include "cli/lines.h"
#include "cli/model_identity.h"
#include "cli/nearest.h"
#include "cli/output_file.h"
#include "cli/progress.h"

namespace tuwen_cli {
namespace {

constexpr std::string_view kPlace = "{}", kMagic = "tuwen class weights 1\n";
constexpr size_t kTextBatch = 256;

std::string fill(std::string text, std::string_view label) {
  for (size_t at = 0; (at = text.find(kPlace, at)) != std::string::npos; at += label.size()) {
    text.replace(at, kPlace.size(), label);
  }
  return text;
}

tuwen::Matrix compute(tuwen::Session& session, const tuwen::Model& model, const std::vector<std::string>& labels,
                      const std::vector<std::string>& templates, bool quiet) {
  const size_t total = labels.size() * templates.size();
  tuwen::Matrix weights(labels.size(), static_cast<size_t>(model.info().embedding_size));
  Progress progress(total, "texts", quiet);
  for (size_t begin = 0; begin < total; begin += kTextBatch) {
    std::vector<std::string> texts;
    for (size_t i = begin; i < std::min(total, begin + kTextBatch); ++i) {
      texts.push_back(fill(templates[i % templates.size()], labels[i / templates.size()]));
    }
    const auto place = [&](size_t i) {
      return "label[" + std::to_string((begin + i) / templates.size()) + "] in template[" +
             std::to_string((begin + i) % templates.size()) + "]";
    };
    const tuwen::Matrix rows = encode_evaluation_texts(session, model, texts, 0, place);
    for (size_t r = 0; r < rows.rows; ++r) {
      const auto mean = weights.row((begin + r) / templates.size());
      for (size_t c = 0; c < rows.columns; ++c) mean[c] += rows(r, c) / static_cast<float>(templates.size());
    }
    progress.advance(texts.size());
  }
  for (size_t r = 0; templates.size() > 1 && r < weights.rows; ++r) normalise(weights.row(r));
  return weights;
}

std::string key_of(const tuwen::Session& session, const CommonOptions& options, const std::vector<std::string>& labels,
                   const std::vector<std::string>& templates) {
  ContentHasher hasher;
  for (const std::string& part : {std::string(tuwen_version()), hex(model_identity(options.model)), options.precision,
                                  std::string(session.info().isa), std::to_string(labels.size())}) {
    hasher.add_part(part);
  }
  for (const std::string& label : labels) hasher.add_part(label);
  for (const std::string& pattern : templates) hasher.add_part(pattern);
  return hex(hasher.finish());
}

// The file's text: magic, key, hash of the numbers, numbers.
std::string file_of(const std::string& key, const tuwen::Matrix& weights) {
  const std::string numbers(reinterpret_cast<const char*>(weights.data.data()), weights.data.size() * sizeof(float));
  return std::string(kMagic) + key + "\n" + hex(content_hash(numbers)) + "\n" + numbers;
}

// True if `weights`, which has its shape, was filled.
bool read_cache(const std::string& path, const std::string& key, tuwen::Matrix& weights) {
  const std::optional<std::string> text = text_of_file(path);
  if (!text) return false;
  if (!text->empty() && !text->starts_with(kMagic))
    throw Failure(path + ": expected a cache of class weights, found another file");
  const size_t bytes = weights.data.size() * sizeof(float);
  if (text->size() < bytes) return false;
  std::memcpy(weights.data.data(), text->data() + (text->size() - bytes), bytes);
  return *text == file_of(key, weights);
}

}  // namespace

tuwen::Matrix label_weights(tuwen::Session& session, const tuwen::Model& model, const CommonOptions& options,
                            const std::vector<std::string>& labels, const std::vector<std::string>& templates,
                            const std::string& cache_file) {
  if (cache_file.empty()) return compute(session, model, labels, templates, options.quiet);
  if (!options.calibrate_images.empty() || !options.calibrate_texts.empty() || !options.calibration_file.empty()) {
    throw UsageError(
        "--cache: not with --calibration, --calibrate-images or --calibrate-texts, which change the model");
  }
  const std::string key = key_of(session, options, labels, templates);
  tuwen::Matrix cached(labels.size(), static_cast<size_t>(model.info().embedding_size));
  if (read_cache(cache_file, key, cached)) return cached;
  const tuwen::Matrix weights = compute(session, model, labels, templates, options.quiet);
  OutputFile file(cache_file);
  file.write(file_of(key, weights));
  file.commit();
  return weights;
}

}  // namespace tuwen_cli
