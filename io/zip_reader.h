// The directory of a ZIP archive, for files that PyTorch writes: what is read of them is stored, not compressed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"

namespace tw {

struct ZipEntry {
  std::string name;
  int64_t offset = 0;  // of the content, in bytes from the start of the file
  int64_t size = 0;
  uint32_t crc = 0;    // 0: the writer computed none (an option of torch.save)
  bool stored = true;  // false: compressed, and listed only; `size` is that of the compressed bytes
};

// Lists the entries of an archive of at most 100,000, in directory order. Strict on purpose, so that no two programs
// can see different files in it: the end record is the last 22 bytes of the file; local headers agree with the
// directory in name, method, flags, sizes and checksum; entries do not overlap; names are relative, without "..", and
// occur once. Zip64 is read.
//
// Throws truncated, malformed, limit_exceeded, or unsupported for encryption and split archives.
// Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5.
std::vector<ZipEntry> read_zip_directory(const File& file);

// The content of a small entry, its CRC-32 checked. Throws limit_exceeded above `limit` bytes, malformed for a wrong
// checksum.
std::string read_zip_entry(const File& file, const ZipEntry& entry, int64_t limit);

// CRC-32 as in ZIP and PNG: polynomial 0xEDB88320, reflected.
uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace tw
