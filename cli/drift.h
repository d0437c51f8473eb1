// How far a model in other arithmetic is from itself in f32: tuwen drift, and the report of tuwen calibrate.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace tuwen_cli {

struct DriftOptions : CommonOptions {
  std::vector<std::string> precisions = {"bf16", "int8"};
  std::vector<std::string> images, texts;  // of none a built-in set
  std::string images_list, texts_list;     // or files with one a line
  bool ends_only = false;                  // embeddings and probabilities, no layers
};

// Adds --image, --images, --text and --texts.
void add_drift_inputs(CLI::App& command, DriftOptions& options);
// Encodes and prints.
void report_drift(const DriftOptions& options);

}  // namespace tuwen_cli
