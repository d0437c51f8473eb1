#include "bench/command.h"

#include <map>

#include "cli/demo_model.h"

namespace tw::bench {

Report Common::report() const {
  const std::map<std::string, Format> formats = {
      {"md", Format::md}, {"csv", Format::csv}, {"json", Format::json}, {"jsonl", Format::jsonl}};
  return Report(formats.at(output), environment());
}

void add_common_options(CLI::App& command, Common& common) {
  command.add_option("-o,--output", common.output, "md, csv, json or jsonl")
      ->check(CLI::IsMember({"md", "csv", "json", "jsonl"}))
      ->capture_default_str();
  command.add_option("--warmup", common.repetition.warmup, "runs before the first sample")->capture_default_str();
  command.add_option("--runs", common.repetition.least, "samples at least")->capture_default_str();
  command.add_option("--seconds", common.repetition.seconds, "take samples for at least this long")
      ->capture_default_str();
}

CLI::Option* add_model_option(CLI::App& command, std::string& model) {
  const CLI::Validator find([](std::string& value) { return value = tuwen_cli::model_directory(value), std::string(); },
                            "");
  return command.add_option("model", model, "model directory, or `demo`: the one that comes with tuwen")
      ->required()
      ->transform(find);
}

std::vector<int> parse_sweep(const std::string& text) {
  const auto fail = [&]() -> int {
    throw CLI::ValidationError("'" + text + "' is no list: 1,2,8 or 8-64+8 or 1-64*2");
  };
  const auto number = [&](const std::string& digits) {
    if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != std::string::npos) fail();
    return std::stoi(digits);
  };
  std::vector<int> values;
  std::stringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    const size_t dash = item.find('-'), op = item.find_first_of("+*");
    if (dash == std::string::npos) {
      values.push_back(number(item));
      continue;
    }
    const int first = number(item.substr(0, dash));
    const int last = number(item.substr(dash + 1, op == std::string::npos ? op : op - dash - 1));
    const int step = op == std::string::npos ? 1 : number(item.substr(op + 1));
    const bool multiply = op != std::string::npos && item[op] == '*';
    if (first < 1 || step < (multiply ? 2 : 1)) fail();
    for (int v = first; v <= last; v = multiply ? v * step : v + step) values.push_back(v);
  }
  if (values.empty()) fail();
  return values;
}

}  // namespace tw::bench
