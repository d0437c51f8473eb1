// What the subcommands share: common options, how a model is opened, and how failures end the program.
#pragma once

#include <CLI/CLI.hpp>
#include <stdexcept>
#include <string>
#include <tuwen/tuwen.hpp>
#include <vector>

namespace tuwen_cli {

// A command line that parses but makes no sense: exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Something outside failed that the library does not know of, such as writing a file: exit status 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct CommonOptions {
  std::string model;
  int threads = 0;
  std::string precision = "f32", plan = "exact";
  std::string calibrate_images, calibrate_texts;  // lists
  std::string calibration_file;                   // or what `tuwen calibrate` wrote
  std::string device = "cpu";
  bool quiet = false;
  bool json = false;
};

// Adds the options of every subcommand that computes: --threads, --quiet.
void add_runtime(CLI::App& command, CommonOptions& options);
// Adds MODEL and these.
void add_model(CLI::App& command, CommonOptions& options);
// An option for a model directory, or `demo` (cli/demo_model.h).
CLI::Option* add_model_option(CLI::App& command, const char* name, std::string& model, const std::string& what);
void add_precision(CLI::App& command, CommonOptions& options);
// Adds --device, for where pictures and texts are encoded.
void add_device(CLI::App& command, CommonOptions& options);
// Adds --calibration, --calibrate-images and --calibrate-texts, for where int8 and FP8 models are made.
void add_calibration(CLI::App& command, CommonOptions& options);
// Adds --plan, for where an image tower computes.
void add_plan(CLI::App& command, CommonOptions& options);
// All of these, and --precision.
void add_common(CLI::App& command, CommonOptions& options);
// An option that takes one value or more, each exactly as it was typed: "[a,b]" is a text and not a list.
CLI::Option* add_list(CLI::App& command, const std::string& name, std::vector<std::string>& values,
                      const std::string& help);
// For options that are paths.
CLI::Validator not_empty();
// Throws UsageError unless exactly one of the options was given.
void require_one(const std::vector<const CLI::Option*>& options);
// Adds --json to those that print.
void add_json(CLI::App& command, CommonOptions& options);

// What an int8 or FP8 model is scaled by: pictures and texts, of which a built-in set stands for what is empty, or a
// file.
struct Calibration {
  std::vector<tuwen::Image> images;
  std::vector<std::string> texts;
  std::string file;
};
// What the lists of the options name.
Calibration read_calibration(const CommonOptions& options);
// use(options with the calibration in them); what they point to lasts that long.
template <class Use>
auto with_calibration(const Calibration& calibration, Use use) {
  auto load = tuwen::make<tuwen_load_options>();
  const auto images = tuwen::ProcessorView::handles_of(calibration.images);
  const tuwen::Texts texts(calibration.texts);
  load.calibration_images = images.data();
  load.calibration_image_count = images.size();
  load.calibration_texts = texts.data();
  load.calibration_text_count = texts.size();
  load.calibration_file = calibration.file.c_str();
  return use(load);
}

tuwen::Model open_model(const std::string& model, const std::string& precision, const std::string& plan,
                        const Calibration& calibration);
// As the options say. Throws UsageError if there is a calibration list and the precision is not the one that is
// calibrated.
tuwen::Model open_model(const CommonOptions& options);
// On OpenMP's threads where the library has them, else on its own; and on the device asked for, if it is there: if not,
// one line on standard error says why, and the CPU encodes.
tuwen::Session open_session(const tuwen::Model& model, const CommonOptions& options);

// One function a subcommand: it adds itself to the program and runs when chosen.
void add_info(CLI::App& program);
void add_similarity(CLI::App& program);
void add_classify(CLI::App& program);
void add_embed(CLI::App& program);
void add_tokenize(CLI::App& program);
void add_features(CLI::App& program);
void add_retrieve(CLI::App& program);
void add_recall(CLI::App& program);
void add_drift(CLI::App& program);
void add_calibrate(CLI::App& program);
void add_selftest(CLI::App& program);
void add_verify(CLI::App& program);
void add_index(CLI::App& program);
void add_search(CLI::App& program);

}  // namespace tuwen_cli
