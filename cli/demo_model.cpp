#include "cli/demo_model.h"

#include <array>

#include "cli/command.h"
#include "cli/utf8_text.h"

namespace fs = std::filesystem;

namespace tuwen_cli {

std::string model_directory(const std::string& model) {
  if (model != "demo") return model;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) throw Failure("demo: cannot tell where this program lies: " + error.message());
  return model_directory(model, program.parent_path());
}

std::string model_directory(const std::string& model, const fs::path& program_folder) {
  if (model != "demo") return model;
  std::string places;
  for (const char* relative : std::array{TUWEN_DEMO_FROM_INSTALLED, TUWEN_DEMO_FROM_BUILT}) {
    const fs::path place = (program_folder / relative).lexically_normal();
    std::error_code error;
    if (fs::exists(place / "config.json", error)) return place.string();
    places += (places.empty() ? "" : " nor in ") + one_line(place.string());
  }
  throw Failure("demo: expected the demo model, found none in " + places);
}

}  // namespace tuwen_cli
