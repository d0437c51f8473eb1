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
  std::string precision = "f32";
  bool quiet = false;
  bool json = false;
};

// Adds MODEL and the options of every subcommand, without --precision.
void add_model(CLI::App& command, CommonOptions& options);
// The same with --precision.
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

tuwen::Model open_model(const CommonOptions& options);
// On OpenMP's threads where the library has them, else on its own.
tuwen::Session open_session(const tuwen::Model& model, const CommonOptions& options);

// One function a subcommand: it adds itself to the program and runs when chosen.
void add_info(CLI::App& program);
void add_similarity(CLI::App& program);
void add_classify(CLI::App& program);
void add_embed(CLI::App& program);
void add_tokenize(CLI::App& program);
void add_drift(CLI::App& program);

}  // namespace tuwen_cli
