// Output files that end with a hash of all before it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/content_hash.h"
#include "cli/output_file.h"

namespace tuwen_cli {

// Appears whole or not at all, as OutputFile does.
class HashedFile {
 public:
  explicit HashedFile(const std::string& path) : file_(path) {}

  void write(std::string_view bytes) {
    file_.write(bytes);
    hasher_.add(bytes);
  }
  void commit() {
    const ContentHash hash = hasher_.finish();
    file_.write({reinterpret_cast<const char*>(hash.data()), hash.size()});
    file_.commit();
  }

 private:
  OutputFile file_;
  ContentHasher hasher_;
};

// Numbers as they lie in memory.
template <class T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace tuwen_cli
