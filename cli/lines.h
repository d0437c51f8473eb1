// Lists that a user keeps in a file: one item a line.
#pragma once

#include <string>
#include <vector>

namespace tuwen_cli {

// The lines of a file, or of standard input for "-". Lines end at LF, or CR LF; only LF counts, since texts may contain
// other separators. A byte order mark at the start is dropped. Empty lines are dropped if `skip_empty`. Throws Failure
// if it cannot be read.
std::vector<std::string> read_lines(const std::string& path, bool skip_empty);

}  // namespace tuwen_cli
