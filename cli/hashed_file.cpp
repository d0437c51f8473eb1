#include "cli/hashed_file.h"

#include <bit>
#include <cstring>

#include "cli/command.h"

namespace tuwen_cli {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

constexpr size_t kAlignment = 64;

size_t padding_at(size_t position) { return (kAlignment - position % kAlignment) % kAlignment; }

}  // namespace

std::string file_start(const FileKind& kind) {
  std::string start(kind.magic);
  append_number(start, kind.version);
  return start;
}

void append_padding(std::string& head) { head.append(padding_at(head.size()), '\0'); }

void skip_padding(ByteReader& reader) { reader.take(padding_at(reader.position())); }

ByteReader after_start(const FileKind& kind, const std::string& path, std::string_view bytes) {
  // An empty file, or one cut within its first bytes, is one of ours more likely than not.
  if (!bytes.starts_with(kind.magic.substr(0, bytes.size()))) {
    throw Failure(path + ": expected a file that " + std::string(kind.maker) + " has written, found another");
  }
  ByteReader reader(bytes);
  reader.take(kind.magic.size());
  const auto version = reader.number<uint32_t>();
  if (!reader.ok()) fail_damaged(kind, path, "size", "it is cut short");
  if (version != kind.version) {
    throw Failure(path + ": format version: expected " + std::to_string(kind.version) + ", found " +
                  std::to_string(version) + "; " + std::string(kind.remedy));
  }
  return reader;
}

ContentHash trailing_hash(const FileKind& kind, const std::string& path, std::string_view bytes) {
  ContentHash hash;
  if (bytes.size() < hash.size()) fail_damaged(kind, path, "size", "it is cut short");
  std::memcpy(hash.data(), bytes.data() + bytes.size() - hash.size(), hash.size());
  return hash;
}

std::string_view whole_content(const FileKind& kind, const std::string& path, std::string_view bytes) {
  after_start(kind, path, bytes);
  const ContentHash expected = trailing_hash(kind, path, bytes);
  const std::string_view content = bytes.substr(0, bytes.size() - expected.size());
  if (content_hash(content) != expected) {
    fail_damaged(kind, path, "checksum", "it is cut short, or bytes have changed");
  }
  return content;
}

void fail_damaged(const FileKind& kind, const std::string& path, const std::string& field, const std::string& what) {
  throw Failure(path + ": damaged " + std::string(kind.noun) + ": " + field + ": " + what + "; " +
                std::string(kind.remedy));
}

}  // namespace tuwen_cli
