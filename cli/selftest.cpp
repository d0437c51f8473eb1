// tuwen selftest: whether the kernels compute what they are meant to on this CPU.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>

#include "cli/command.h"
#include "cli/json_writer.h"

namespace tuwen_cli {
namespace {

struct Options {
  std::string isa;
  uint64_t seed = 1;
  bool json = false;
};

std::vector<tuwen_selftest_result> results_of(const tuwen::Selftest& test) {
  std::vector<tuwen_selftest_result> results;
  for (size_t i = 0; i < test.size(); ++i) results.push_back(test.at(i));
  return results;
}

void print_json(const std::vector<tuwen_selftest_result>& results, const Options& options) {
  const tuwen_system_info system = tuwen::system_info();
  JsonWriter json(std::cout);
  json.begin_object().key("version").value(tuwen_version()).key("cpu").value(system.cpu);
  json.key("cpu_features").value(system.features).key("seed").value(static_cast<int64_t>(options.seed));
  json.key("checks").begin_array();
  for (const tuwen_selftest_result& r : results) {
    json.begin_object().key("isa").value(r.isa).key("operation").value(r.operation);
    json.key("passed").value(r.passed != 0).key("worst").value(r.worst).key("detail").value(r.detail).end_object();
  }
  json.end_array().end_object();
  std::cout << "\n";
}

// Operations down, kernels across; each number is the largest error over the bound.
void print_table(const std::vector<tuwen_selftest_result>& results) {
  constexpr int kName = 16, kColumn = 12;
  const auto cell = [](const std::string& text, int width) {
    char padded[64];
    std::snprintf(padded, sizeof padded, "%-*s", width, text.c_str());
    std::cout << padded;
  };
  std::vector<std::string> kernels, operations;
  const auto add = [](std::vector<std::string>& list, const char* name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.emplace_back(name);
  };
  for (const tuwen_selftest_result& r : results) add(kernels, r.isa), add(operations, r.operation);
  cell("error / bound", kName);
  for (const std::string& name : kernels) cell(name, kColumn);
  std::cout << "\n";
  for (const std::string& operation : operations) {
    cell(operation, kName);
    for (const std::string& name : kernels) {
      const auto found = std::find_if(results.begin(), results.end(), [&](const tuwen_selftest_result& r) {
        return name == r.isa && operation == r.operation;
      });
      char text[16];
      std::snprintf(text, sizeof text, "%.3f", found->worst);
      cell(found->passed == 0 ? "FAILED" : found->worst > 0 ? text : "exact", kColumn);
    }
    std::cout << "\n";
  }
  const auto failed = std::count_if(results.begin(), results.end(), [](const auto& r) { return r.passed == 0; });
  std::cout << results.size() - static_cast<size_t>(failed) << " of " << results.size() << " checks passed\n";
}

void run(const Options& options) {
  const tuwen::Selftest test(options.seed, options.isa);
  const std::vector<tuwen_selftest_result> results = results_of(test);
  options.json ? print_json(results, options) : print_table(results);
  std::string failures;
  for (const tuwen_selftest_result& r : results) {
    if (r.passed == 0) failures += std::string("\n  ") + r.operation + " (" + r.isa + "): " + r.detail;
  }
  if (!failures.empty()) throw Failure("the kernels of this build do not work on this CPU:" + failures);
}

}  // namespace

void add_selftest(CLI::App& program) {
  auto* command = program.add_subcommand("selftest", "whether the kernels compute what they should on this CPU");
  auto options = std::make_shared<Options>();
  command->add_option("--isa", options->isa, "only these kernels, such as avx2 (default: all that this CPU runs)")
      ->check(not_empty());
  command->add_option("--seed", options->seed, "of the random numbers (default: 1)");
  command->add_flag("--json", options->json, "JSON on standard output");
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
