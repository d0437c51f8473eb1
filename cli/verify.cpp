// tuwen verify MODEL --goldens FILE: parity with the reference on this machine, stage by stage.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>

#include "cli/command.h"
#include "cli/json_writer.h"

namespace tuwen_cli {
namespace {

struct Options : CommonOptions {
  std::string goldens;
  std::vector<std::string> precisions = {"f32"};
  bool every_stage = false;
};

struct Result {
  std::string precision, isa;
  tuwen::Verification verification;

  std::vector<tuwen_verified> stages() const {
    std::vector<tuwen_verified> all;
    for (size_t i = 0; i < verification.size(); ++i) all.push_back(verification.at(i));
    return all;
  }
};

std::string text_of(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

void print_line(const tuwen_verified& s) {
  const bool exact = s.to_exact < 0;
  const std::string limit = s.limit > 0          ? text_of("%.1e", s.limit)
                            : s.cosine_limit > 0 ? text_of("cos %.3f", s.cosine_limit)
                                                 : "";
  char line[200];
  std::snprintf(line, sizeof line, "%-28s %9lld %9lld  %8.1e  %-9s %.9f  %8s  %8s  %s\n", s.stage,
                static_cast<long long>(s.values), static_cast<long long>(s.different), s.error, limit.c_str(), s.cosine,
                exact ? "" : text_of("%.1e", s.to_exact).c_str(),
                exact ? "" : text_of("%.1e", s.reference_to_exact).c_str(), s.passed != 0 ? "" : "OUTSIDE");
  std::cout << line;
}

// Of a stage inside a layer only what leaves it, unless all are asked for or it is outside its limit.
bool is_shown(const tuwen_verified& s, bool every_stage) {
  const std::string_view stage = s.stage;
  return every_stage || s.passed == 0 || stage.find(".layers.") == std::string_view::npos || stage.ends_with(".output");
}

void print_table(const Result& result, bool every_stage) {
  std::cout << result.precision << " on " << result.isa << "\n";
  std::cout
      << "stage                           values different     error  limit      worst cosine      exact  reference\n";
  const std::vector<tuwen_verified> stages = result.stages();
  for (const tuwen_verified& s : stages)
    if (is_shown(s, every_stage)) print_line(s);
  for (const tuwen_verified& s : stages) {
    if (s.different == 0) continue;
    std::cout << "first difference: " << s.stage << ", " << text_of("%.1e", s.error) << "\n";
    break;
  }
  for (const tuwen_verified& s : stages) {
    if (s.passed != 0) continue;
    std::cout << "first outside its limit: " << s.stage << "\n";
    break;
  }
  std::cout << "\n";
}

// What rounding may do in each operation, and how much of that it did.
void print_error_budget(const std::string& isa) {
  const tuwen::Selftest test(1, isa);
  std::cout << "error budget: the largest error over the proven bound (" << isa << ")\n";
  for (size_t i = 0; i < test.size(); ++i) {
    const tuwen_selftest_result line = test.at(i);
    char text[80];
    std::snprintf(text, sizeof text, "  %-16s %s%s\n", line.operation,
                  line.worst > 0 ? text_of("%.3f", line.worst).c_str() : "exact", line.passed != 0 ? "" : "  FAILED");
    std::cout << text;
  }
}

void write_json(const std::vector<Result>& results, const Options& options) {
  JsonWriter json(std::cout);
  json.begin_object().key("model").value(options.model).key("goldens").value(options.goldens);
  json.key("precisions").begin_array();
  for (const Result& result : results) {
    json.begin_object().key("precision").value(result.precision).key("isa").value(result.isa);
    json.key("stages").begin_array();
    for (const tuwen_verified& s : result.stages()) {
      json.begin_object().key("stage").value(s.stage).key("passed").value(s.passed != 0);
      json.key("values").value(s.values).key("different").value(s.different);
      json.key("error").value(s.error).key("limit").value(s.limit);
      json.key("cosine").value(s.cosine).key("cosine_limit").value(s.cosine_limit);
      if (s.to_exact >= 0) json.key("to_exact").value(s.to_exact).key("reference_to_exact").value(s.reference_to_exact);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  std::cout << "\n";
}

void run(const Options& options) {
  const Calibration calibration = read_calibration(options);
  std::vector<Result> results;
  for (const std::string& precision : options.precisions) {
    const tuwen::Model model = open_model(options.model, precision, options.plan, calibration);
    tuwen::Session session = open_session(model, options);
    results.push_back({precision, session.info().isa, tuwen::Verification(session, options.goldens)});
    if (!options.json) print_table(results.back(), options.every_stage);
  }
  if (options.json) {
    write_json(results, options);
  } else {
    print_error_budget(results.front().isa);
  }
  std::string outside;
  for (const Result& result : results)
    for (const tuwen_verified& s : result.stages())
      if (s.passed == 0)
        outside += (outside.empty() ? "" : ", ") + std::string(s.stage) + " (" + result.precision + ")";
  if (!outside.empty()) throw Failure("outside its limit: " + outside);
}

}  // namespace

void add_verify(CLI::App& program) {
  auto* command = program.add_subcommand("verify", "parity with the reference implementation on this machine");
  auto options = std::make_shared<Options>();
  add_model(*command, *options);
  add_plan(*command, *options);
  add_calibration(*command, *options);
  add_json(*command, *options);
  command
      ->add_option("--goldens", options->goldens,
                   "what scripts/make_goldens.py --model MODEL --out FILE wrote with transformers")
      ->required()
      ->check(not_empty());
  command->add_option("--precision", options->precisions, "what to verify, separated by commas (default: f32)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  command->add_flag("--every-stage", options->every_stage, "also what happens inside layers");
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
