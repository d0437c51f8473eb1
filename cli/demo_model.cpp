#include "cli/demo_model.h"

#include <filesystem>
#include <stdexcept>

#include "cli/utf8_text.h"

namespace fs = std::filesystem;

namespace tuwen_cli {

std::string model_directory(const std::string& model) {
  if (model != "demo") return model;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) throw std::runtime_error("demo: cannot tell where this program lies: " + error.message());
  const fs::path program_folder = program.parent_path();
  // Only a build folder has a source tree around it; beside an installed program such a path could be anybody's.
  const bool built = fs::exists(program_folder / "CMakeCache.txt", error);
  const fs::path place =
      (program_folder / (built ? TUWEN_DEMO_FROM_BUILT : TUWEN_DEMO_FROM_INSTALLED)).lexically_normal();
  if (fs::exists(place / "config.json", error)) return place.string();
  throw std::runtime_error("demo: expected the demo model in " + one_line(place.string()) +
                           ", found no config.json there; give the path of another model, or make this one "
                           "(docs/demo-model.md)");
}

}  // namespace tuwen_cli
