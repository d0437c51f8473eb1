#include "cli/file_hash.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "cli/command.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tuwen_cli {

struct Hash::State {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> xxh{XXH3_createState(), XXH3_freeState};
};

Hash::Hash() : state_(std::make_unique<State>()) {
  if (state_->xxh == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh.get());
}
Hash::~Hash() = default;

void Hash::add(std::string_view bytes) {
  const uint64_t size = bytes.size();
  XXH3_128bits_update(state_->xxh.get(), &size, sizeof size);
  XXH3_128bits_update(state_->xxh.get(), bytes.data(), bytes.size());
}

void Hash::add_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Failure(path + ": cannot be opened: " + std::strerror(errno));
  std::vector<char> buffer(size_t{1} << 20);
  uint64_t size = 0;
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    size += static_cast<uint64_t>(in.gcount());
    XXH3_128bits_update(state_->xxh.get(), buffer.data(), static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) throw Failure(path + ": cannot be read: " + std::strerror(errno));
  XXH3_128bits_update(state_->xxh.get(), &size, sizeof size);
}

std::string Hash::text() const {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest(state_->xxh.get()));
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes.digest) text.append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
  return text;
}

std::string hash_of_model(const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.is_regular_file(error)) files.push_back(entry.path());
  }
  if (error) throw Failure(directory + ": cannot be listed: " + error.message());
  std::sort(files.begin(), files.end());
  Hash hash;
  for (const fs::path& file : files) {
    hash.add(file.filename().string());
    hash.add_file(file.string());
  }
  return hash.text();
}

}  // namespace tuwen_cli
