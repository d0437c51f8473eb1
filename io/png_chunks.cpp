#include "io/png_chunks.h"

#include <array>
#include <string>

namespace tw {
namespace {

constexpr size_t kSignature = 8, kChunkOverhead = 12;  // length, type and checksum

// Slicing by eight: table[k][b] is the checksum of byte b followed by k zero bytes. ISO 3309, polynomial 0x04C11DB7.
constexpr std::array<std::array<uint32_t, 256>, 8> make_crc_table() {
  std::array<std::array<uint32_t, 256>, 8> table = {};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t c = b;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[0][b] = c;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t b = 0; b < 256; ++b) table[k][b] = table[0][table[k - 1][b] & 0xFF] ^ (table[k - 1][b] >> 8);
  }
  return table;
}

constexpr auto kCrc = make_crc_table();

uint32_t read32_little(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) | static_cast<uint32_t>(p[1]) << 8 | static_cast<uint32_t>(p[2]) << 16 |
         static_cast<uint32_t>(p[3]) << 24;
}

uint32_t read32(std::span<const uint8_t> b, size_t at) {
  return static_cast<uint32_t>(b[at]) << 24 | static_cast<uint32_t>(b[at + 1]) << 16 |
         static_cast<uint32_t>(b[at + 2]) << 8 | b[at + 3];
}

uint32_t crc32(std::span<const uint8_t> data) {
  uint32_t c = 0xFFFFFFFFu;
  const uint8_t* p = data.data();
  size_t left = data.size();
  for (; left >= 8; left -= 8, p += 8) {
    const uint32_t low = c ^ read32_little(p), high = read32_little(p + 4);
    c = kCrc[7][low & 0xFF] ^ kCrc[6][low >> 8 & 0xFF] ^ kCrc[5][low >> 16 & 0xFF] ^ kCrc[4][low >> 24] ^
        kCrc[3][high & 0xFF] ^ kCrc[2][high >> 8 & 0xFF] ^ kCrc[1][high >> 16 & 0xFF] ^ kCrc[0][high >> 24];
  }
  for (; left > 0; --left, ++p) c = kCrc[0][(c ^ *p) & 0xFF] ^ (c >> 8);
  return ~c;
}

bool is_valid(int depth, int colour) {
  switch (colour) {
    case 0:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2:
    case 4:
    case 6:
      return depth == 8 || depth == 16;
    default:
      return false;
  }
}

PngHeader read_header(const ImageSource& source, std::span<const uint8_t> data) {
  if (data.size() != 13) source.fail(ErrorCode::malformed, "IHDR", "13 bytes", std::to_string(data.size()));
  const int depth = data[8], colour = data[9];
  source.check_size(read32(data, 0), read32(data, 4));
  if (!is_valid(depth, colour)) {
    source.fail(ErrorCode::malformed, "IHDR", "a depth that its colour type has",
                "depth " + std::to_string(depth) + ", colour type " + std::to_string(colour));
  }
  return {read32(data, 0), read32(data, 4), depth, static_cast<PngColour>(colour), data[12] != 0};
}

}  // namespace

PngHeader check_png(const ImageSource& source) {
  const std::span<const uint8_t> bytes = source.bytes;
  PngHeader header = {};
  bool pixels = false;
  for (size_t at = kSignature;;) {
    if (bytes.size() - at < 8) source.fail_truncated("IEND chunk");
    const size_t length = read32(bytes, at);
    const std::span<const uint8_t> type = bytes.subspan(at + 4, 4);
    const std::string name = printable({reinterpret_cast<const char*>(type.data()), 4});
    if (bytes.size() - at < kChunkOverhead + length) source.fail_truncated(name + " chunk");

    if (at == kSignature) {
      if (name != "IHDR") source.fail(ErrorCode::malformed, "first chunk", "IHDR", name);
      header = read_header(source, bytes.subspan(at + 8, length));
    }
    const bool critical = (type[0] & 0x20) == 0;  // upper case
    const uint32_t stored = read32(bytes, at + 8 + length);
    if ((critical || !pixels) && crc32(bytes.subspan(at + 4, 4 + length)) != stored) {
      source.fail(ErrorCode::malformed, name + " chunk", "a matching checksum", "another");
    }
    pixels = pixels || name == "IDAT";
    if (name == "IEND") {
      if (!pixels) source.fail(ErrorCode::malformed, "IDAT chunk", "at least one", "none");
      return header;
    }
    at += kChunkOverhead + length;
  }
}

ImageMode mode_of(const PngHeader& header) {
  switch (header.colour) {
    case PngColour::grey:
      return header.depth == 16 ? ImageMode::grey16 : header.depth == 1 ? ImageMode::bilevel : ImageMode::grey;
    case PngColour::rgb:
      return ImageMode::rgb;
    case PngColour::palette:
      return ImageMode::palette;
    case PngColour::grey_alpha:
      return header.depth == 16 ? ImageMode::rgba : ImageMode::grey_alpha;
    case PngColour::rgba:
      break;
  }
  return ImageMode::rgba;
}

}  // namespace tw
