// tuwen classify MODEL --image FILE... --label TEXT...: the most probable labels of each picture.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <numeric>

#include "cli/command.h"
#include "cli/images.h"
#include "cli/json_writer.h"
#include "cli/lines.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

constexpr std::string_view kPlace = "{}";

struct Options : CommonOptions {
  std::vector<std::string> images, labels, templates;
  std::string labels_file;
  size_t top = 5;
};

std::string fill(std::string text, std::string_view label) {
  for (size_t at = 0; (at = text.find(kPlace, at)) != std::string::npos; at += label.size()) {
    text.replace(at, kPlace.size(), label);
  }
  return text;
}

void normalise(std::span<float> vector) {
  double squares = 0;
  for (const float v : vector) squares += static_cast<double>(v) * static_cast<double>(v);
  const double norm = std::sqrt(squares);
  for (float& v : vector) v = static_cast<float>(static_cast<double>(v) / norm);
}

// One vector a label: the mean of its templates' normalised embeddings, normalised again.
tuwen::Matrix label_embeddings(tuwen::Session& session, const Options& options) {
  const size_t templates = options.templates.size();
  std::vector<std::string> texts;
  texts.reserve(options.labels.size() * templates);
  for (const std::string& label : options.labels) {
    for (const std::string& pattern : options.templates) texts.push_back(fill(pattern, label));
  }
  const tuwen::Matrix all = encode_text_lines(session, texts, options.quiet);
  if (templates == 1) return all;
  tuwen::Matrix means(options.labels.size(), all.columns);
  for (size_t r = 0; r < all.rows; ++r) {
    const auto mean = means.row(r / templates);
    for (size_t c = 0; c < all.columns; ++c) mean[c] += all(r, c) / static_cast<float>(templates);
  }
  for (size_t r = 0; r < means.rows; ++r) normalise(means.row(r));
  return means;
}

// Indices of the `count` largest, largest first, equal ones in the order of the labels.
std::vector<size_t> largest(std::span<const float> values, size_t count) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  order.resize(std::min(count, order.size()));
  return order;
}

void run(Options& options) {
  if (!options.labels_file.empty()) options.labels = read_lines(options.labels_file, true);
  if (options.labels.empty()) throw Failure(options.labels_file + ": no labels in it");
  if (options.templates.empty()) options.templates = {std::string(kPlace)};
  for (const std::string& pattern : options.templates) {
    if (pattern.find(kPlace) == std::string::npos) throw UsageError("--template '" + pattern + "': has no {}");
  }
  const tuwen::Model model = open_model(options);
  tuwen::Session session = open_session(model, options);
  const tuwen::Matrix labels = label_embeddings(session, options);
  const tuwen::Matrix images = encode_image_files(session, options.images, options.quiet);
  const tuwen::Matrix logits = session.logits(images, labels);
  const tuwen::Matrix probabilities = tuwen::softmax(logits);

  JsonWriter json(std::cout);
  if (options.json) {
    json.begin_object();
    json.key("model").value(options.model).key("templates").array(options.templates);
    json.key("results").begin_array();
  }
  for (size_t i = 0; i < images.rows; ++i) {
    if (options.json) {
      json.begin_object().key("image").value(options.images[i]).key("predictions").begin_array();
    } else {
      std::cout << one_line(options.images[i]) << "\n";
    }
    for (const size_t label : largest(probabilities.row(i), options.top)) {
      if (options.json) {
        json.begin_object().key("label").value(options.labels[label]).key("index").value(label);
        json.key("prob").value(probabilities(i, label)).key("logit").value(logits(i, label)).end_object();
      } else {
        char percent[32];
        std::snprintf(percent, sizeof percent, "%10.4f%%  ", 100.0 * static_cast<double>(probabilities(i, label)));
        std::cout << percent << one_line(options.labels[label]) << "\n";
      }
    }
    if (options.json) json.end_array().end_object();
  }
  if (options.json) {
    json.end_array().end_object();
    std::cout << "\n";
  }
}

}  // namespace

void add_classify(CLI::App& program) {
  auto* command = program.add_subcommand("classify", "the most probable labels of pictures");
  auto options = std::make_shared<Options>();
  add_common(*command, *options);
  add_json(*command, *options);
  add_list(*command, "--image", options->images, "pictures: JPEG, PNG, WebP, BMP")->required()->check(not_empty());
  auto* labels = add_list(*command, "--label", options->labels, "the labels to choose from");
  auto* file = command->add_option("--labels", options->labels_file,
                                   "instead: a file of labels, one a line; - for standard input");
  file->check(not_empty());
  add_list(*command, "--template", options->templates,
           "what a label is put into, such as '一张{}的照片' (default: the label itself);\n"
           "of several, the mean of the embeddings is used");
  command->add_option("--top", options->top, "how many labels to print (default: 5)")
      ->check(CLI::Range(size_t{1}, size_t{1} << 31));
  command->callback([options, labels, file] {
    require_one({labels, file});
    run(*options);
  });
}

}  // namespace tuwen_cli
