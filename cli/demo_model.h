// The word `demo` in the place of a model directory.
#pragma once

#include <string>

namespace tuwen_cli {

// What MODEL on a command line stands for: the directory of the demo model for `demo`, else the same path. `./demo` is
// a directory of that name. The demo model is looked for from where this program lies: as installed, or as built in
// its source tree. Throws std::runtime_error that names the place if it is not there.
std::string model_directory(const std::string& model);

}  // namespace tuwen_cli
