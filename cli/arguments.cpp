#include "cli/arguments.h"

#include <algorithm>

#include "cli/command.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

const CLI::App* find_command(const CLI::App& program, const std::string& name) {
  const auto commands = program.get_subcommands(nullptr);
  const auto found = std::find_if(commands.begin(), commands.end(), [&](auto* c) { return c->get_name() == name; });
  return found == commands.end() ? nullptr : *found;
}

std::string names_of(const std::vector<const CLI::App*>& commands) {
  std::string names;
  for (const CLI::App* command : commands) names += (names.empty() ? "" : ", ") + command->get_name();
  return names;
}

// The option that `argument` names, with or without a value behind "="; nullptr if there is none.
const CLI::Option* option_of(const CLI::App& command, const std::string& argument) {
  if (argument.size() < 2 || argument[0] != '-') return nullptr;
  return command.get_option_no_throw(argument.substr(0, argument.find('=')));
}

bool takes_value(const CLI::Option* option) { return option != nullptr && option->get_items_expected_min() > 0; }

}  // namespace

std::vector<std::string> read_arguments(const CLI::App& program, int argc, char** argv) {
  const std::vector<std::string> given(argv + std::min(argc, 1), argv + argc);
  std::vector<std::string> arguments;
  const CLI::App* command = given.empty() ? nullptr : find_command(program, given[0]);
  if (command == nullptr && !given.empty() && given[0].substr(0, 1) != "-") {
    throw UsageError("no command '" + one_line(given[0]) + "'; there are " +
                     names_of(program.get_subcommands(nullptr)));
  }
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string& argument = given[i];
    const CLI::Option* option = command == nullptr ? nullptr : option_of(*command, argument);
    if (!takes_value(option)) {
      arguments.push_back(argument);
    } else if (argument.find('=') == argument.size() - 1) {
      arguments.push_back(argument.substr(0, argument.size() - 1));
      arguments.emplace_back();
    } else {
      if (argument.find('=') == std::string::npos && i + 1 < given.size() && option_of(*command, given[i + 1])) {
        throw UsageError(argument + ": a value is missing before " + one_line(given[i + 1]) +
                         "; if that is meant, write " + argument + "=" + one_line(given[i + 1]));
      }
      arguments.push_back(argument);
    }
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

std::string not_understood(const CLI::App& program) {
  std::string all;
  for (const std::string& argument : program.remaining(true)) all += (all.empty() ? "" : " ") + one_line(argument);
  return all;
}

}  // namespace tuwen_cli
