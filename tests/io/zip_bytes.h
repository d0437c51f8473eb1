// ZIP archives written by the test as PyTorch writes them, with every field open to change.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "io/zip_reader.h"

namespace tw::test {

struct ZipItem {
  std::string name;
  std::string content;
};

template <class T>
void append_number(std::string& bytes, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}

// Where things are in the archive, for tests that change them.
struct ZipBytes {
  std::string bytes;
  std::vector<size_t> local, central;  // positions of the headers
  size_t end = 0;                      // of the end record
};

struct ZipOptions {
  bool deferred = true;      // sizes follow the content, as PyTorch's writer has it
  bool zip64_end = false;    // with a zip64 end record and locator
  bool zip64_sizes = false;  // sizes in the central directory through the zip64 extra field
};

inline ZipBytes zip_of(const std::vector<ZipItem>& items, const ZipOptions& options = {}) {
  ZipBytes zip;
  std::string& out = zip.bytes;
  const uint16_t flags = options.deferred ? 0x808 : 0x800;
  for (const ZipItem& item : items) {
    const uint32_t crc = crc32(std::as_bytes(std::span(item.content)));
    const uint32_t size = static_cast<uint32_t>(item.content.size());
    zip.local.push_back(out.size());
    append_number<uint32_t>(out, 0x04034b50);
    append_number<uint16_t>(out, 0);  // version needed
    append_number(out, flags);
    append_number<uint16_t>(out, 0);  // method: stored
    append_number<uint32_t>(out, 0);  // time, date
    append_number<uint32_t>(out, options.deferred ? 0 : crc);
    append_number<uint32_t>(out, options.deferred ? 0 : size);
    append_number<uint32_t>(out, options.deferred ? 0 : size);
    append_number(out, static_cast<uint16_t>(item.name.size()));
    append_number<uint16_t>(out, 7);  // extra field: padding
    out += item.name + std::string("FB\3\0ZZZ", 7) + item.content;
    if (options.deferred) {
      append_number<uint32_t>(out, 0x08074b50);
      append_number(out, crc);
      append_number(out, size);
      append_number(out, size);
    }
  }
  const size_t directory = out.size();
  for (size_t i = 0; i < items.size(); ++i) {
    const uint32_t size = static_cast<uint32_t>(items[i].content.size());
    zip.central.push_back(out.size());
    append_number<uint32_t>(out, 0x02014b50);
    append_number<uint32_t>(out, 0);  // versions
    append_number(out, flags);
    append_number<uint16_t>(out, 0);
    append_number<uint32_t>(out, 0);
    append_number(out, crc32(std::as_bytes(std::span(items[i].content))));
    append_number(out, options.zip64_sizes ? 0xFFFFFFFFu : size);
    append_number(out, options.zip64_sizes ? 0xFFFFFFFFu : size);
    append_number(out, static_cast<uint16_t>(items[i].name.size()));
    append_number<uint16_t>(out, options.zip64_sizes ? 28 : 0);
    append_number<uint16_t>(out, 0);  // comment
    append_number<uint16_t>(out, 0);  // volume
    append_number<uint16_t>(out, 0);
    append_number<uint32_t>(out, 0);  // attributes
    append_number(out, options.zip64_sizes ? 0xFFFFFFFFu : static_cast<uint32_t>(zip.local[i]));
    out += items[i].name;
    if (options.zip64_sizes) {
      append_number<uint16_t>(out, 1);
      append_number<uint16_t>(out, 24);
      append_number<uint64_t>(out, size);
      append_number<uint64_t>(out, size);
      append_number<uint64_t>(out, zip.local[i]);
    }
  }
  const size_t directory_bytes = out.size() - directory;
  if (options.zip64_end) {
    const size_t end64 = out.size();
    append_number<uint32_t>(out, 0x06064b50);
    append_number<uint64_t>(out, 44);
    append_number<uint32_t>(out, 0);
    append_number<uint64_t>(out, 0);
    append_number<uint64_t>(out, items.size());
    append_number<uint64_t>(out, items.size());
    append_number<uint64_t>(out, directory_bytes);
    append_number<uint64_t>(out, directory);
    append_number<uint32_t>(out, 0x07064b50);
    append_number<uint32_t>(out, 0);
    append_number<uint64_t>(out, end64);
    append_number<uint32_t>(out, 1);
  }
  zip.end = out.size();
  append_number<uint32_t>(out, 0x06054b50);
  append_number<uint32_t>(out, 0);
  append_number(out, options.zip64_end ? uint16_t{0xFFFF} : static_cast<uint16_t>(items.size()));
  append_number(out, options.zip64_end ? uint16_t{0xFFFF} : static_cast<uint16_t>(items.size()));
  append_number(out, options.zip64_end ? 0xFFFFFFFFu : static_cast<uint32_t>(directory_bytes));
  append_number(out, options.zip64_end ? 0xFFFFFFFFu : static_cast<uint32_t>(directory));
  append_number<uint16_t>(out, 0);
  return zip;
}

}  // namespace tw::test
