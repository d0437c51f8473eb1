// Runs a fuzz target over recorded inputs: every file in the folders given, and every cut and some mutations of the
// small ones. Fails when there is no input at all, or when one takes longer than a second.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

bool run(const std::string& bytes) {
  const auto begin = std::chrono::steady_clock::now();
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return std::chrono::steady_clock::now() - begin < std::chrono::seconds(1);
}

bool replay(const std::filesystem::path& path, tw::test::Random& random) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  bool quick = run(bytes);
  for (int round = 0; round < 200 && !bytes.empty(); ++round) {
    std::string changed = bytes;
    const int64_t last = static_cast<int64_t>(bytes.size()) - 1;
    if (random.chance(0.3)) changed.resize(static_cast<size_t>(random.integer(0, last)));
    for (int64_t n = random.integer(0, 3); n > 0 && !changed.empty(); --n) {
      const auto at = static_cast<size_t>(random.integer(0, static_cast<int64_t>(changed.size()) - 1));
      changed[at] = static_cast<char>(random.integer(0, 255));
    }
    quick = run(changed) && quick;
  }
  if (!quick) std::fprintf(stderr, "%s: took more than a second\n", path.c_str());
  return quick;
}

}  // namespace

int main(int argc, char** argv) {
  tw::test::Random random(1);
  size_t inputs = 0;
  bool quick = true;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      quick = replay(entry.path(), random) && quick;
      ++inputs;
    }
  }
  std::printf("%zu inputs\n", inputs);
  return inputs > 0 && quick ? 0 : 1;
}
