// tuwen calibrate MODEL --out FILE: sees what pictures and texts of the user's do to a model, keeps it for int8 and
// FP8, and says how near these then are.
#include <memory>

#include "cli/drift.h"
#include "cli/images.h"
#include "cli/interrupt.h"
#include "cli/lines.h"

namespace tuwen_cli {
namespace {

struct Options : DriftOptions {
  std::string out;
};

std::vector<std::string> items(const std::vector<std::string>& given, const std::string& list, const char* what) {
  if (list.empty()) return given;
  std::vector<std::string> lines = read_lines(list, true);
  if (lines.empty()) throw Failure(list + ": no " + what + " in it");
  return lines;
}

void run(Options& options) {
  catch_interrupts();
  // Read once, for both: a list may be standard input.
  options.images = items(options.images, options.images_list, "pictures");
  options.texts = items(options.texts, options.texts_list, "texts");
  options.images_list = options.texts_list = "";

  const Calibration inputs{read_images(options.images, 0, options.images.size()), options.texts, ""};
  with_calibration(inputs, [&](tuwen_load_options& load) {
    load.threads = options.threads;
    tuwen::Model::calibrate(options.model, options.out, &load);
  });

  options.calibration_file = options.out;
  options.precisions = {"int8", "fp8"};
  options.ends_only = true;
  report_drift(options);
}

}  // namespace

void add_calibrate(CLI::App& program) {
  auto* command =
      program.add_subcommand("calibrate", "scales for int8 and fp8 from pictures and texts, and how near they are");
  auto options = std::make_shared<Options>();
  add_model(*command, *options);
  add_json(*command, *options);
  add_drift_inputs(*command, *options);
  command->add_option("--out", options->out, "the file to write, for --calibration")->required()->check(not_empty());
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
