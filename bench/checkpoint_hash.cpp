#include "bench/checkpoint_hash.h"

#include <algorithm>
#include <fstream>
#include <span>
#include <vector>

#include "core/sha256.h"

namespace tw::bench {
namespace {

constexpr int64_t kPart = int64_t{1} << 20;

bool counts(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  return name == "config.json" || name.ends_with(".safetensors") || name.ends_with(".bin");
}

void append_part(std::vector<char>& all, std::ifstream& file, int64_t begin, int64_t end) {
  const size_t old = all.size();
  all.resize(old + static_cast<size_t>(end - begin));
  file.seekg(begin);
  file.read(all.data() + old, end - begin);
}

}  // namespace

std::string checkpoint_hash(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.is_regular_file() && counts(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<char> all;
  for (const std::filesystem::path& path : files) {
    const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
    const std::string line = path.filename().string() + " " + std::to_string(size) + "\n";
    all.insert(all.end(), line.begin(), line.end());
    std::ifstream file(path, std::ios::binary);
    append_part(all, file, 0, std::min(size, kPart));
    append_part(all, file, std::max(std::min(size, kPart), size - kPart), size);
  }
  return "head+tail+size:" + sha256(std::as_bytes(std::span(all))).substr(0, 16);
}

}  // namespace tw::bench
