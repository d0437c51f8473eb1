// What the subcommands of tuwen-bench share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "bench/report.h"
#include "bench/statistics.h"
#include "core/cpu_info.h"

namespace tw::bench {

struct Common {
  std::string output = "md";
  Repetition repetition;
  Report report() const;
};

// "-o", "--warmup", "--runs", "--seconds" on a subcommand.
void add_common_options(CLI::App& command, Common& common);

// The model directory that a subcommand needs; or `demo`, as the program tuwen understands it.
CLI::Option* add_model_option(CLI::App& command, std::string& model);

// "1,2,8", "1-4", "8-64+8", "1-64*2" and any commas of these. Throws CLI::ValidationError.
std::vector<int> parse_sweep(const std::string& text);

// One function a subcommand: adds itself to the program; its work runs when the command line names it.
void add_peak(CLI::App& app);
void add_kernels(CLI::App& app);
void add_encode(CLI::App& app);
void add_preprocess(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_load(CLI::App& app);
void add_end_to_end(CLI::App& app);
void add_threads(CLI::App& app);

}  // namespace tw::bench
