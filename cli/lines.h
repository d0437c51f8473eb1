// Text files: lists that a user keeps, one item a line, and whole ones.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tuwen_cli {

// The lines of a file, or of standard input for "-". Lines end at LF, or CR LF; only LF counts, since texts may contain
// other separators. A byte order mark at the start is dropped. Empty lines are dropped if `skip_empty`. Throws Failure
// if it cannot be read.
std::vector<std::string> read_lines(const std::string& path, bool skip_empty);

// The bytes of a small file; nothing if it cannot be opened.
std::optional<std::string> text_of_file(const std::string& path);

}  // namespace tuwen_cli
