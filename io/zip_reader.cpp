#include "io/zip_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string_view>

#include "core/error.h"

namespace tw {
namespace {

constexpr int64_t kMaxDirectoryBytes = int64_t{32} << 20;
constexpr uint64_t kMaxEntries = 100'000;
constexpr int64_t kEndBytes = 22;
constexpr int64_t kLocatorBytes = 20;
constexpr int64_t kEnd64Bytes = 56;
constexpr int64_t kCentralBytes = 46;
constexpr int64_t kLocalBytes = 30;

constexpr uint16_t kFlagDescriptor =
    1u << 3;  // sizes and checksum follow the content instead of standing in the local header
constexpr uint16_t kFlagUtf8 = 1u << 11;

[[noreturn]] void fail(ErrorCode code, const File& file, const std::string& field, const std::string& expected,
                       const std::string& found) {
  throw Error(code, {.file = file.path(), .field = field, .expected = expected, .found = found});
}

// Little-endian numbers out of a record that has been read in full.
class Record {
 public:
  explicit Record(std::string_view bytes) : bytes_(bytes) {}
  uint16_t u16(size_t at) const { return number<uint16_t>(at); }
  uint32_t u32(size_t at) const { return number<uint32_t>(at); }
  uint64_t u64(size_t at) const { return number<uint64_t>(at); }

 private:
  template <class T>
  T number(size_t at) const {
    T value;
    std::memcpy(&value, bytes_.substr(at, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view bytes_;
};

std::string read_bytes(const File& file, int64_t offset, int64_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  file.read_at(offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

struct Directory {
  uint64_t entries;
  uint64_t size;
  uint64_t offset;
  int64_t end;  // where the directory has to end
};

Directory find_directory(const File& file) {
  if (file.size() < kEndBytes)
    fail(ErrorCode::truncated, file, "zip end record", "22 bytes", std::to_string(file.size()));
  const int64_t end_at = file.size() - kEndBytes;
  const std::string end_bytes = read_bytes(file, end_at, kEndBytes);
  const Record end(end_bytes);
  if (end.u32(0) != 0x06054b50 || end.u16(20) != 0)
    fail(ErrorCode::truncated, file, "zip end record", "it in the last 22 bytes, without a comment", "something else");
  if (end.u16(4) != 0 || end.u16(6) != 0 || end.u16(8) != end.u16(10))
    fail(ErrorCode::unsupported, file, "zip end record", "one volume", "a split archive");
  Directory directory{end.u16(10), end.u32(12), end.u32(16), end_at};

  // A zip64 archive has a locator right before the end record, and its end record right before that.
  if (end_at >= kLocatorBytes + kEnd64Bytes) {
    const std::string tail = read_bytes(file, end_at - kLocatorBytes - kEnd64Bytes, kLocatorBytes + kEnd64Bytes);
    const Record end64(std::string_view(tail).substr(0, kEnd64Bytes));
    const Record locator(std::string_view(tail).substr(kEnd64Bytes));
    if (locator.u32(0) == 0x07064b50) {
      const int64_t end64_at = end_at - kLocatorBytes - kEnd64Bytes;
      if (end64.u32(0) != 0x06064b50 || end64.u64(4) != kEnd64Bytes - 12 ||
          locator.u64(8) != static_cast<uint64_t>(end64_at))
        fail(ErrorCode::malformed, file, "zip64 end record", "it right before its locator", "something else");
      if (end64.u32(16) != 0 || end64.u32(20) != 0 || end64.u64(24) != end64.u64(32))
        fail(ErrorCode::unsupported, file, "zip64 end record", "one volume", "a split archive");
      const auto agrees = [](uint64_t narrow, uint64_t wide, uint64_t escape) {
        return narrow == wide || narrow == escape;
      };
      if (!agrees(directory.entries, end64.u64(32), 0xFFFF) || !agrees(directory.size, end64.u64(40), 0xFFFFFFFF) ||
          !agrees(directory.offset, end64.u64(48), 0xFFFFFFFF))
        fail(ErrorCode::malformed, file, "zip64 end record", "what the end record says", "other values");
      directory = {end64.u64(32), end64.u64(40), end64.u64(48), end64_at};
    }
  }
  if (directory.entries > kMaxEntries)
    fail(ErrorCode::limit_exceeded, file, "zip directory", "at most 100000 entries", std::to_string(directory.entries));
  if (directory.size > static_cast<uint64_t>(kMaxDirectoryBytes)) {
    fail(ErrorCode::limit_exceeded, file, "zip directory", "at most " + std::to_string(kMaxDirectoryBytes) + " bytes",
         std::to_string(directory.size));
  }
  if (directory.offset > static_cast<uint64_t>(directory.end) ||
      directory.size != static_cast<uint64_t>(directory.end) - directory.offset)
    fail(ErrorCode::malformed, file, "zip directory", "it right before the end record", "something else");
  return directory;
}

void require_plain_name(const File& file, std::string_view name) {
  bool plain = !name.empty() && name.size() <= 512 && name.front() != '/' &&
               name.find_first_of(std::string_view("\\:\0", 3)) == std::string_view::npos;
  for (size_t begin = 0; plain && begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    plain = part != ".." && part != "." && (!part.empty() || end == name.size());
    begin = end + 1;
  }
  if (!plain) fail(ErrorCode::malformed, file, "zip entry name", "a relative path", printable(name));
}

// One record of the central directory.
struct Central {
  std::string name;
  uint16_t flags, method;
  uint32_t crc;
  uint64_t compressed, size, local_offset;
  size_t next;  // position of the next record
};

// Replaces values that did not fit 32 bits by those of the zip64 extra field (id 1).
void apply_zip64(const File& file, Central& entry, std::string_view extra) {
  while (extra.size() >= 4) {
    const Record field(extra);
    const size_t length = field.u16(2);
    if (length > extra.size() - 4) break;
    if (field.u16(0) == 1) {
      size_t at = 4;
      for (uint64_t* value : {&entry.size, &entry.compressed, &entry.local_offset}) {
        if (*value != 0xFFFFFFFF) continue;
        if (at + 8 > 4 + length)
          fail(ErrorCode::malformed, file, printable(entry.name), "a zip64 field with 8 more bytes", "its end");
        *value = field.u64(at);
        at += 8;
      }
    }
    extra.remove_prefix(4 + length);
  }
}

Central read_central(const File& file, const std::string& directory, size_t at) {
  const auto require = [&](size_t bytes) {
    if (bytes > directory.size() - at)
      fail(ErrorCode::malformed, file, "zip directory", "a whole record", "the end of the directory");
  };
  require(kCentralBytes);
  const Record record(std::string_view(directory).substr(at));
  if (record.u32(0) != 0x02014b50)
    fail(ErrorCode::malformed, file, "zip directory", "the signature of a record", "something else");
  const size_t name_bytes = record.u16(28), extra_bytes = record.u16(30), comment_bytes = record.u16(32);
  require(kCentralBytes + name_bytes + extra_bytes + comment_bytes);
  Central entry{directory.substr(at + kCentralBytes, name_bytes),
                record.u16(8),
                record.u16(10),
                record.u32(16),
                record.u32(20),
                record.u32(24),
                record.u32(42),
                at + kCentralBytes + name_bytes + extra_bytes + comment_bytes};
  require_plain_name(file, entry.name);
  if (record.u16(34) != 0 && record.u16(34) != 0xFFFF)
    fail(ErrorCode::unsupported, file, printable(entry.name), "one volume", "a split archive");
  apply_zip64(file, entry, std::string_view(directory).substr(at + kCentralBytes + name_bytes, extra_bytes));
  if ((entry.flags & ~(kFlagDescriptor | kFlagUtf8)) != 0)
    fail(ErrorCode::unsupported, file, printable(entry.name), "no encryption or patches",
         "flags " + std::to_string(entry.flags));
  if (entry.method == 0 && entry.compressed != entry.size) {
    fail(ErrorCode::malformed, file, printable(entry.name), "one size for a stored entry",
         std::to_string(entry.compressed) + " and " + std::to_string(entry.size));
  }
  return entry;
}

// Checks the local header against the directory and finds the content behind it. `limit`: where the directory begins.
ZipEntry check_local(const File& file, const Central& entry, uint64_t limit) {
  const std::string field = printable(entry.name);
  if (entry.local_offset > limit || limit - entry.local_offset < kLocalBytes)
    fail(ErrorCode::malformed, file, field, "a local header before the directory", std::to_string(entry.local_offset));
  const int64_t at = static_cast<int64_t>(entry.local_offset);
  const std::string bytes = read_bytes(file, at, kLocalBytes);
  const Record local(bytes);
  const uint64_t name_bytes = local.u16(26), extra_bytes = local.u16(28);
  const uint64_t content = entry.local_offset + kLocalBytes + name_bytes + extra_bytes;
  if (local.u32(0) != 0x04034b50 || content > limit || entry.compressed > limit - content)
    fail(ErrorCode::malformed, file, field, "a local header and content before the directory", "something else");
  const bool deferred = (entry.flags & kFlagDescriptor) != 0;
  const auto agrees = [&](uint32_t here, uint64_t there) {
    return here == there || (deferred && here == 0) || (here == 0xFFFFFFFF && there >= 0xFFFFFFFF);
  };
  if (name_bytes != entry.name.size() ||
      read_bytes(file, at + kLocalBytes, static_cast<int64_t>(name_bytes)) != entry.name ||
      local.u16(6) != entry.flags || local.u16(8) != entry.method || !agrees(local.u32(14), entry.crc) ||
      !agrees(local.u32(18), entry.compressed) || !agrees(local.u32(22), entry.size))
    fail(ErrorCode::malformed, file, field, "a local header that agrees with the directory", "another one");
  return {entry.name, static_cast<int64_t>(content), static_cast<int64_t>(entry.compressed), entry.crc,
          entry.method == 0};
}

}  // namespace

std::vector<ZipEntry> read_zip_directory(const File& file) {
  const Directory where = find_directory(file);
  const std::string directory = read_bytes(file, static_cast<int64_t>(where.offset), static_cast<int64_t>(where.size));
  std::vector<ZipEntry> entries;
  std::vector<std::pair<int64_t, int64_t>> extents;  // local header to end of content
  std::set<std::string_view> names;
  size_t at = 0;
  while (entries.size() < where.entries) {
    const Central central = read_central(file, directory, at);
    entries.push_back(check_local(file, central, where.offset));
    extents.push_back({static_cast<int64_t>(central.local_offset), entries.back().offset + entries.back().size});
    at = central.next;
  }
  if (at != directory.size())
    fail(ErrorCode::malformed, file, "zip directory", std::to_string(where.entries) + " records",
         "more bytes after them");
  for (const ZipEntry& entry : entries)
    if (!names.insert(entry.name).second)
      fail(ErrorCode::malformed, file, printable(entry.name), "each name once", "it twice");
  std::sort(extents.begin(), extents.end());
  for (size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].first < extents[i - 1].second)
      fail(ErrorCode::malformed, file, "zip entries", "no overlap",
           "two over byte " + std::to_string(extents[i].first));
  }
  return entries;
}

std::string read_zip_entry(const File& file, const ZipEntry& entry, int64_t limit) {
  if (!entry.stored) fail(ErrorCode::unsupported, file, printable(entry.name), "a stored entry", "a compressed one");
  if (entry.size > limit) {
    fail(ErrorCode::limit_exceeded, file, printable(entry.name), "at most " + std::to_string(limit) + " bytes",
         std::to_string(entry.size));
  }
  const std::string content = read_bytes(file, entry.offset, entry.size);
  if (entry.crc != 0 && crc32(std::as_bytes(std::span(content))) != entry.crc)
    fail(ErrorCode::malformed, file, printable(entry.name), "the CRC-32 of the directory", "another");
  return content;
}

uint32_t crc32(std::span<const std::byte> bytes) {
  uint32_t crc = ~0u;
  for (const std::byte b : bytes) {
    crc ^= std::to_integer<uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

}  // namespace tw
