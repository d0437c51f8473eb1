// 128-bit hashes (XXH3) that tell models and inputs apart. Not against someone who wants two to look alike.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tuwen_cli {

class Hash {
 public:
  Hash();
  ~Hash();
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  // Adds the bytes and their number, so that "ab", "c" and "a", "bc" differ.
  void add(std::string_view bytes);
  // Adds a file's bytes; throws Failure if it cannot be read.
  void add_file(const std::string& path);
  // 32 hexadecimal digits
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Of everything in a model directory that decides what its embeddings are: configuration, vocabulary, weights (the
// regular files directly in it, whatever they are called).
std::string hash_of_model(const std::string& directory);

}  // namespace tuwen_cli
