// Files of ours that begin with their kind and version and end with a hash of all before it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cli/byte_reader.h"
#include "cli/content_hash.h"
#include "cli/output_file.h"

namespace tuwen_cli {

struct FileKind {
  std::string_view noun;   // "index", for messages
  std::string_view magic;  // the bytes that all of them begin with
  uint32_t version;
  std::string_view maker;   // the command that writes them
  std::string_view remedy;  // what to do about a damaged one
};

// Appears whole or not at all, as OutputFile does. The first bytes are those of file_start().
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

// Magic and version.
std::string file_start(const FileKind& kind);
// Zeros up to where arrays may lie in memory.
void append_padding(std::string& head);
void skip_padding(ByteReader& reader);

// Numbers as they lie in memory.
template <class T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

// The following throw Failure naming `path`, the bytes' file, and the kind that it should be.

// Reads on behind magic and version, which are the kind's.
ByteReader after_start(const FileKind& kind, const std::string& path, std::string_view bytes);
// The last bytes, which should be the hash of all before them.
ContentHash trailing_hash(const FileKind& kind, const std::string& path, std::string_view bytes);
// All before them, of this kind and whole by that hash.
std::string_view whole_content(const FileKind& kind, const std::string& path, std::string_view bytes);
// For readers that find more.
[[noreturn]] void fail_damaged(const FileKind& kind, const std::string& path, const std::string& field,
                               const std::string& what);

}  // namespace tuwen_cli
