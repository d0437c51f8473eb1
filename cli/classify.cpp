// tuwen classify MODEL --image FILE... --label TEXT...: the most probable labels of each picture, or, of pictures whose
// class is known, how often they are right.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "cli/command.h"
#include "cli/images.h"
#include "cli/interrupt.h"
#include "cli/json_writer.h"
#include "cli/label_weights.h"
#include "cli/labelled_pictures.h"
#include "cli/lines.h"
#include "cli/nearest.h"
#include "cli/utf8_text.h"
#include "cli/zeroshot.h"

namespace tuwen_cli {
namespace {

constexpr std::string_view kPlace = "{}";

struct Options : CommonOptions {
  std::vector<std::string> images, labels, templates;
  std::string labels_file, templates_file, folders, list, cache;
  std::string predictions, dataset = "dataset", model_name, index;
  size_t top = 5;
};

// Unless others are given. Short, so that a label with them fits any position table.
std::vector<std::string> default_templates() {
  return {"{}",       "一张{}的照片", "一张{}的图片", "图中有{}", "这是{}",       "一张有{}的照片",
          "{}的照片", "{}的特写",     "一幅{}的画",   "我拍的{}", "一张很小的{}", "一张模糊的{}照片"};
}

void read_labels_and_templates(Options& options) {
  if (!options.labels_file.empty()) options.labels = read_lines(options.labels_file, true);
  if (options.labels.empty()) throw Failure(options.labels_file + ": no labels in it");
  if (!options.templates_file.empty()) {
    options.templates = read_lines(options.templates_file, true);
    if (options.templates.empty()) throw Failure(options.templates_file + ": no templates in it");
  }
  if (options.templates.empty()) options.templates = default_templates();
  for (const std::string& pattern : options.templates) {
    if (pattern.find(kPlace) == std::string::npos)
      throw UsageError((options.templates_file.empty() ? "--template '" : options.templates_file + ": '") + pattern +
                       "': has no {}");
  }
}

void print(const Options& options, const Accuracy& accuracy) {
  const auto percent = [&](size_t right) {
    return 100.0 * static_cast<double>(right) / static_cast<double>(accuracy.pictures);
  };
  if (options.json) {
    JsonWriter json(std::cout);
    json.begin_object().key("model").value(options.model).key("templates").array(options.templates);
    json.key("images").value(accuracy.pictures).key("top1").value(percent(accuracy.top1));
    json.key("top5").value(percent(accuracy.top5)).end_object();
    std::cout << "\n";
    return;
  }
  std::printf("top-1 %6.2f %%  (%zu of %zu)\ntop-5 %6.2f %%  (%zu of %zu)\n", percent(accuracy.top1), accuracy.top1,
              accuracy.pictures, percent(accuracy.top5), accuracy.top5, accuracy.pictures);
  std::fflush(stdout);
}

void evaluate(const Options& options, const tuwen::Model& model, tuwen::Session& session, const tuwen::Matrix& labels) {
  const LabelledPictures pictures = options.list.empty() ? read_class_folders(options.folders, options.labels.size())
                                                         : read_labelled_list(options.list, options.labels);
  const tuwen::Matrix images = encode_image_files(model, session, pictures.paths, options.quiet);
  const tuwen::Matrix probabilities = zeroshot_probabilities(images, labels);
  if (!options.predictions.empty()) {
    const std::string directory = std::filesystem::path(options.model + "/").parent_path().filename().string();
    write_predictions(options.predictions, options.model, options.model_name.empty() ? directory : options.model_name,
                      options.dataset, probabilities, options.index);
  }
  print(options, accuracy_of(probabilities, pictures.classes));
}

void run(Options& options) {
  if (!options.predictions.empty() && !options.images.empty()) {
    throw UsageError("--predictions: is for --folders and --list");
  }
  read_labels_and_templates(options);
  catch_interrupts();
  const tuwen::Model model = open_model(options);
  tuwen::Session session = open_session(model, options);
  const tuwen::Matrix labels = label_weights(session, model, options, options.labels, options.templates, options.cache);
  if (options.images.empty()) return evaluate(options, model, session, labels);
  const tuwen::Matrix images = encode_image_files(model, session, options.images, options.quiet);
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
  add_device(*command, *options);
  add_json(*command, *options);
  const std::vector<const CLI::Option*> pictures = {
      add_list(*command, "--image", options->images, "pictures: JPEG, PNG, WebP, BMP")->check(not_empty()),
      command
          ->add_option("--folders", options->folders,
                       "instead: a folder with one subfolder a class, sorted as the labels are; prints top-1 and top-5")
          ->check(not_empty()),
      command->add_option("--list", options->list, "instead: a file of lines 'path TAB label or its index'; likewise")
          ->check(not_empty()),
  };
  auto* labels = add_list(*command, "--label", options->labels, "the labels to choose from");
  auto* file = command->add_option("--labels", options->labels_file,
                                   "instead: a file of labels, one a line; - for standard input");
  file->check(not_empty());
  add_list(*command, "--template", options->templates,
           "what a label is put into, such as '一张{}的照片' (default: a dozen of them;\n"
           "'{}' is the label itself); of several, the mean of the embeddings is used");
  command->add_option("--templates", options->templates_file, "instead: a file of templates, one a line")
      ->check(not_empty())
      ->excludes("--template");
  command
      ->add_option("--cache", options->cache,
                   "a file that keeps the labels' vectors for the next run; written anew where model, labels or\n"
                   "templates are others")
      ->check(not_empty());
  command
      ->add_option("--predictions", options->predictions,
                   "with --folders or --list: all probabilities, as Chinese-CLIP's zeroshot_evaluation.py writes them")
      ->check(not_empty());
  command->add_option("--dataset", options->dataset, "its dataset_name in --predictions (default: dataset)");
  command->add_option("--model-name", options->model_name, "its model_name there (default: the model directory's)");
  command->add_option("--index", options->index, "a JSON list: which rows go there, in this order")->check(not_empty());
  command->add_option("--top", options->top, "how many labels to print (default: 5)")
      ->check(CLI::Range(size_t{1}, size_t{1} << 31));
  command->callback([options, labels, file, pictures] {
    require_one({labels, file});
    require_one(pictures);
    run(*options);
  });
}

}  // namespace tuwen_cli
