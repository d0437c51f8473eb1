#include "cli/lines.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/command.h"

namespace tuwen_cli {
namespace {

std::vector<std::string> read_lines(std::istream& in, bool skip_empty) {
  std::vector<std::string> lines;
  bool first = true;
  for (std::string line; std::getline(in, line);) {
    if (first && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    first = false;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() || !skip_empty) lines.push_back(line);
  }
  return lines;
}

}  // namespace

std::vector<std::string> read_lines(const std::string& path, bool skip_empty) {
  if (path == "-") return read_lines(std::cin, skip_empty);
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Failure(path + ": cannot be opened: " + std::strerror(errno));
  auto lines = read_lines(in, skip_empty);
  if (in.bad()) throw Failure(path + ": cannot be read: " + std::strerror(errno));
  return lines;
}

std::optional<std::string> text_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

}  // namespace tuwen_cli
