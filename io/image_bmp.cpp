// Windows bitmaps, by our own reader: what Pillow's BmpImagePlugin reads, with the same pixels. Rows of 1, 4, 8, 16, 24
// or 32 bits from bottom to top or top to bottom, run lengths of 8 and 4 bits, the channel masks that Pillow knows.
// Layout: Microsoft, "Bitmap Storage" and BITMAPV5HEADER.
#include <algorithm>
#include <array>
#include <string>

#include "io/image_source.h"

namespace tw {
namespace {

constexpr size_t kFileHeader = 14;
constexpr uint32_t kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3;

struct BmpHeader {
  size_t header_size;
  int64_t width, height;
  bool top_down;
  int bits;
  uint32_t compression;
  uint32_t colours;  // palette entries
  size_t palette_at;
  size_t palette_step;            // 3 or 4 bytes per entry
  size_t pixels_at;               // offset in the file
  std::array<uint32_t, 4> masks;  // R, G, B, A
};

class Reader {
 public:
  explicit Reader(const ImageSource& source) : source_(source) {}

  uint32_t u8(size_t at, const char* field) const {
    if (at >= source_.bytes.size()) source_.fail_truncated(field);
    return source_.bytes[at];
  }
  uint32_t u16(size_t at, const char* field) const { return u8(at, field) | u8(at + 1, field) << 8; }
  uint32_t u32(size_t at, const char* field) const { return u16(at, field) | u16(at + 2, field) << 16; }

 private:
  const ImageSource& source_;
};

// Channel masks of 32-bit pixels and the byte of the little-endian pixel that each of R, G, B and perhaps A is.
struct ByteMasks {
  std::array<uint32_t, 4> masks;
  std::array<uint8_t, 4> bytes;
  ImageMode mode;
};
constexpr ByteMasks kByteMasks[] = {
    {{0xFF0000, 0xFF00, 0xFF, 0}, {2, 1, 0}, ImageMode::rgb},
    {{0xFF000000, 0xFF0000, 0xFF00, 0}, {3, 2, 1}, ImageMode::rgb},
    {{0xFF000000, 0xFF00, 0xFF, 0}, {3, 1, 0}, ImageMode::rgb},
    {{0xFF000000, 0xFF0000, 0xFF00, 0xFF}, {3, 2, 1, 0}, ImageMode::rgba},
    {{0xFF, 0xFF00, 0xFF0000, 0xFF000000}, {0, 1, 2, 3}, ImageMode::rgba},
    {{0xFF0000, 0xFF00, 0xFF, 0xFF000000}, {2, 1, 0, 3}, ImageMode::rgba},
    {{0xFF000000, 0xFF00, 0xFF, 0xFF0000}, {3, 1, 0, 2}, ImageMode::rgba},
    {{0, 0, 0, 0}, {2, 1, 0, 3}, ImageMode::rgba},
};
// Blue, green, red: the order of everything without masks, and the only one of 24 bits.
constexpr const ByteMasks& kPlainOrder = kByteMasks[0];

void read_info_header(const ImageSource& source, const Reader& read, BmpHeader& h) {
  constexpr const char* kField = "BMP header";
  constexpr size_t at = kFileHeader;
  // Pillow takes the sign from the highest byte.
  h.top_down = read.u8(at + 11, kField) == 0xFF;
  h.width = read.u32(at + 4, kField);
  h.height = read.u32(at + 8, kField);
  if (h.top_down) h.height = (int64_t{1} << 32) - h.height;
  h.bits = static_cast<int>(read.u16(at + 14, kField));
  h.compression = read.u32(at + 16, kField);
  h.colours = read.u32(at + 32, kField);
  h.palette_step = 4;
  h.palette_at = at + h.header_size;
  if (h.compression == kBitFields) {
    // Headers of 40 bytes are followed by three masks, later ones hold them.
    const bool outside = h.header_size < 52, alpha = h.header_size >= 56;
    for (size_t c = 0; c < (alpha ? 4u : 3u); ++c) h.masks[c] = read.u32(at + 40 + 4 * c, "BMP channel masks");
    if (outside) h.palette_at += 12;
  }
  if (source.bytes.size() < h.palette_at) source.fail_truncated(kField);
}

BmpHeader read_header(const ImageSource& source) {
  const Reader read(source);
  BmpHeader h = {};
  h.pixels_at = read.u32(10, "BMP header");
  h.header_size = read.u32(kFileHeader, "BMP header");
  switch (h.header_size) {
    case 12:
      h.width = read.u16(18, "BMP header");
      h.height = read.u16(20, "BMP header");
      h.bits = static_cast<int>(read.u16(24, "BMP header"));
      h.palette_at = kFileHeader + 12;
      h.palette_step = 3;
      break;
    case 40:
    case 52:
    case 56:
    case 64:
    case 108:
    case 124:
      read_info_header(source, read, h);
      break;
    default:
      source.fail(ErrorCode::unsupported, "BMP header size", "12, 40, 52, 56, 64, 108 or 124",
                  std::to_string(h.header_size));
  }
  source.check_size(h.width, h.height);

  const bool indexed = h.bits == 1 || h.bits == 4 || h.bits == 8;
  if (!indexed && h.bits != 16 && h.bits != 24 && h.bits != 32) {
    source.fail(ErrorCode::unsupported, "bits per pixel", "1, 4, 8, 16, 24 or 32", std::to_string(h.bits));
  }
  const int bits = h.bits;
  const bool fits = h.compression == kRaw || (h.compression == kRle8 && bits == 8) ||
                    (h.compression == kRle4 && bits == 4) || (h.compression == kBitFields && bits >= 16);
  if (!fits) {
    source.fail(ErrorCode::unsupported, "BMP compression",
                "none, run lengths for 8 or 4 bits, channel masks for 16 to 32",
                std::to_string(h.compression) + " with " + std::to_string(bits) + " bits");
  }
  if (indexed) {
    if (h.colours == 0) h.colours = 1u << bits;
    if (h.colours > 256) {
      source.fail(ErrorCode::malformed, "palette", "at most 256 colours", std::to_string(h.colours));
    }
    const size_t palette_end = h.palette_at + h.palette_step * h.colours;
    // Some writers forget the palette when they state where the pixels begin.
    if (h.pixels_at == kFileHeader + h.header_size) h.pixels_at += h.palette_step * h.colours;
    if (h.pixels_at == 0) h.pixels_at = palette_end;
  }
  if (h.pixels_at == 0) h.pixels_at = h.palette_at;
  return h;
}

// What is missing stays black, as in Pillow.
std::vector<uint8_t> read_palette(const ImageSource& source, const BmpHeader& h) {
  std::vector<uint8_t> palette(3 * 256);
  for (size_t i = 0; i < h.colours; ++i) {
    const size_t at = h.palette_at + h.palette_step * i;
    if (at + 3 > source.bytes.size()) break;
    for (size_t c = 0; c < 3; ++c) palette[3 * i + c] = source.bytes[at + 2 - c];
  }
  return palette;
}

// Pillow calls a palette that says nothing "1" or "L" and drops it.
ImageMode mode_of_palette(const BmpHeader& h, const std::vector<uint8_t>& palette) {
  for (size_t i = 0; i < h.colours; ++i) {
    const auto grey = static_cast<uint8_t>(h.colours == 2 ? 255 * i : i);
    if (palette[3 * i] != grey || palette[3 * i + 1] != grey || palette[3 * i + 2] != grey) return ImageMode::palette;
  }
  return h.colours <= 2 ? ImageMode::bilevel : ImageMode::grey;
}

// Calls write(y, row) for each row of the image with the row's bytes in the file.
template <class Write>
void for_each_row(const ImageSource& source, const BmpHeader& h, Write write) {
  const auto row_bytes = static_cast<size_t>((h.width * h.bits + 31) / 32 * 4);
  const auto used = static_cast<size_t>((h.width * h.bits + 7) / 8);
  for (int64_t i = 0; i < h.height; ++i) {
    const size_t at = h.pixels_at + static_cast<size_t>(i) * row_bytes;
    // The padding of the last row may be missing.
    if (at > source.bytes.size() || source.bytes.size() - at < used) source.fail_truncated("row " + std::to_string(i));
    write(h.top_down ? i : h.height - 1 - i, source.bytes.subspan(at, used));
  }
}

// Indices of a run-length coded image, in the order of the file's rows.
std::vector<uint8_t> read_runs(const ImageSource& source, const BmpHeader& h) {
  const std::span<const uint8_t> in = source.bytes;
  const bool nibbles = h.compression == kRle4;
  const auto width = static_cast<size_t>(h.width), total = width * static_cast<size_t>(h.height);
  std::vector<uint8_t> out;
  out.reserve(total);
  size_t at = h.pixels_at, x = 0;
  const auto need = [&](size_t count) {
    if (at > in.size() || in.size() - at < count) {
      source.fail_truncated("run-length data after " + std::to_string(out.size()) + " of " + std::to_string(total) +
                            " pixels");
    }
  };
  const auto skip = [&](size_t count) { out.resize(std::min(total, out.size() + count)); };
  const auto copy = [&](size_t count, auto value) {
    for (size_t i = 0; i < count; ++i) out.push_back(value(i));
  };
  while (out.size() < total) {
    need(2);
    const size_t count = in[at];
    const uint8_t byte = in[at + 1];
    at += 2;
    if (count > 0) {  // a run; what would leave the row is cut
      const size_t room = x < width ? width - x : 0;
      const size_t kept = std::min(count, room);
      copy(kept, [&](size_t i) -> uint8_t {
        if (!nibbles) return byte;
        return i % 2 == 0 ? byte >> 4 : byte & 15;
      });
      x += kept;
    } else if (byte == 0) {  // end of line; of a line without pixels too, which Pillow loses
      const bool empty = x == 0 && out.size() % width == 0;
      skip(empty ? width : (width - out.size() % width) % width);
      x = 0;
    } else if (byte == 1) {  // end of bitmap: the rest is colour 0
      skip(total);
    } else if (byte == 2) {  // move right and up
      need(2);
      skip(in[at] + in[at + 1] * width);
      x = out.size() % width;
      at += 2;
    } else {  // single pixels, padded to a multiple of two bytes of the file
      const size_t wanted = std::min<size_t>(byte, total - out.size());
      const size_t bytes = nibbles ? (wanted + 1) / 2 : wanted;
      need(bytes);
      const size_t from = at;
      copy(wanted, [&](size_t i) -> uint8_t {
        if (!nibbles) return in[from + i];
        return i % 2 == 0 ? in[from + i / 2] >> 4 : in[from + i / 2] & 15;
      });
      x += byte;
      at += bytes;
      at += at % 2;
    }
  }
  return out;
}

RawImage read_indexed(const ImageSource& source, const BmpHeader& h) {
  std::vector<uint8_t> palette = read_palette(source, h);
  RawImage image = make_raw_image(h.width, h.height, mode_of_palette(h, palette));
  const auto width = static_cast<size_t>(h.width);
  const auto row_at = [&](int64_t y) { return image.pixels.data() + static_cast<size_t>(y) * width; };
  if (h.compression == kRaw) {
    const auto bits = static_cast<size_t>(h.bits);
    for_each_row(source, h, [&](int64_t y, std::span<const uint8_t> row) {
      uint8_t* out = row_at(y);
      for (size_t x = 0; x < width; ++x) {
        const size_t bit = x * bits;
        const unsigned byte = row[bit / 8];
        out[x] = static_cast<uint8_t>(byte >> (8 - bits - bit % 8) & ((1u << bits) - 1));
      }
    });
  } else {
    const std::vector<uint8_t> runs = read_runs(source, h);
    for (int64_t i = 0; i < h.height; ++i) {
      std::copy_n(runs.data() + static_cast<size_t>(i) * width, width, row_at(h.top_down ? i : h.height - 1 - i));
    }
  }
  // Without its palette the image holds the colours themselves. Indices beyond the palette are black.
  if (image.mode != ImageMode::palette) {
    for (uint8_t& value : image.pixels) value = palette[3 * size_t{value}];
  } else {
    image.palette = std::move(palette);
  }
  return image;
}

uint8_t widen5(uint32_t v) { return static_cast<uint8_t>((v & 31) * 255 / 31); }
uint8_t widen6(uint32_t v) { return static_cast<uint8_t>((v & 63) * 255 / 63); }

RawImage read_16_bits(const ImageSource& source, const BmpHeader& h) {
  const bool masked = h.compression == kBitFields;
  const std::array<uint32_t, 3> masks = {h.masks[0], h.masks[1], h.masks[2]};
  const bool green6 = masked && masks == std::array<uint32_t, 3>{0xF800, 0x7E0, 0x1F};
  if (masked && !green6 && masks != std::array<uint32_t, 3>{0x7C00, 0x3E0, 0x1F}) {
    source.fail(ErrorCode::unsupported, "BMP channel masks", "5-6-5 or 5-5-5 bits", "others");
  }
  RawImage image = make_raw_image(h.width, h.height, ImageMode::rgb);
  for_each_row(source, h, [&](int64_t y, std::span<const uint8_t> row) {
    uint8_t* out = image.pixels.data() + static_cast<size_t>(y * h.width) * 3;
    for (size_t x = 0; x < static_cast<size_t>(h.width); ++x, out += 3) {
      const uint32_t v = row[2 * x] | static_cast<uint32_t>(row[2 * x + 1]) << 8;
      out[0] = widen5(v >> (green6 ? 11 : 10));
      out[1] = green6 ? widen6(v >> 5) : widen5(v >> 5);
      out[2] = widen5(v);
    }
  });
  return image;
}

const ByteMasks& byte_order(const ImageSource& source, const BmpHeader& h) {
  if (h.compression != kBitFields) return kPlainOrder;
  std::array<uint32_t, 4> masks = h.masks;
  if (h.bits == 24) masks[3] = 0;
  for (const ByteMasks& known : kByteMasks) {
    if (known.masks == masks && (h.bits == 32 || &known == &kPlainOrder)) return known;
  }
  source.fail(ErrorCode::unsupported, "BMP channel masks", "whole bytes in a common order", "others");
}

RawImage read_bytes(const ImageSource& source, const BmpHeader& h) {
  const ByteMasks& order = byte_order(source, h);
  RawImage image = make_raw_image(h.width, h.height, order.mode);
  const auto channels = static_cast<size_t>(bytes_per_pixel(order.mode));
  const auto step = static_cast<size_t>(h.bits / 8);
  for_each_row(source, h, [&](int64_t y, std::span<const uint8_t> row) {
    uint8_t* out = image.pixels.data() + static_cast<size_t>(y * h.width) * channels;
    for (size_t at = 0; at < row.size(); at += step, out += channels) {
      for (size_t c = 0; c < channels; ++c) out[c] = row[at + order.bytes[c]];
    }
  });
  return image;
}

}  // namespace

RawImage decode_bmp(const ImageSource& source) {
  const BmpHeader h = read_header(source);
  if (h.bits <= 8) return read_indexed(source, h);
  if (h.bits == 16) return read_16_bits(source, h);
  return read_bytes(source, h);
}

}  // namespace tw
