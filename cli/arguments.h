// The command line before it is parsed: what CLI11 would take for something else.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tuwen_cli {

// The arguments, last one first as CLI::App::parse() wants them. CLI11 takes what follows "--text=" or "--text" for the
// text, whatever it is; here "--text=" is an empty text, and an option where a value belongs is an error. Throws
// UsageError for that, and for a command that does not exist.
std::vector<std::string> read_arguments(const CLI::App& program, int argc, char** argv);

// What of the command line was not understood, in its order; nothing if all was.
std::string not_understood(const CLI::App& program);

}  // namespace tuwen_cli
