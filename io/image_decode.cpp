#include "io/image_decode.h"

#include <algorithm>
#include <string>

#include "io/file.h"
#include "io/image_source.h"

namespace tw {
namespace {

bool starts_with(std::span<const uint8_t> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin(),
                                                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

std::string first_bytes(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return "an empty file";
  std::string text = "bytes";
  for (const uint8_t b : bytes.first(std::min<size_t>(bytes.size(), 8))) {
    text += ' ';
    text += "0123456789abcdef"[b >> 4];
    text += "0123456789abcdef"[b & 15];
  }
  return text;
}

std::string count_of(int64_t n, const char* unit) { return std::to_string(n) + " " + unit; }

}  // namespace

void ImageSource::fail(ErrorCode code, std::string field, std::string expected, std::string found,
                       std::string note) const {
  throw Error(code, {.file = std::string(label),
                     .field = std::move(field),
                     .expected = std::move(expected),
                     .found = std::move(found),
                     .note = std::move(note)});
}

void ImageSource::fail_truncated(std::string field) const {
  fail(ErrorCode::truncated, std::move(field), "", "the end of the file at byte " + std::to_string(bytes.size()));
}

void ImageSource::check_size(int64_t width, int64_t height) const {
  if (width < 1) fail(ErrorCode::malformed, "width", "at least 1 pixel", count_of(width, "pixels"));
  if (height < 1) fail(ErrorCode::malformed, "height", "at least 1 pixel", count_of(height, "pixels"));
  const std::string most = "at most ";
  if (width > limits.max_side) {
    fail(ErrorCode::limit_exceeded, "width", most + count_of(limits.max_side, "pixels"), count_of(width, "pixels"));
  }
  if (height > limits.max_side) {
    fail(ErrorCode::limit_exceeded, "height", most + count_of(limits.max_side, "pixels"), count_of(height, "pixels"));
  }
  if (width > limits.max_pixels / height) {
    fail(ErrorCode::limit_exceeded, "size", most + count_of(limits.max_pixels, "pixels"),
         std::to_string(width) + " x " + count_of(height, "pixels"));
  }
}

RawImage make_raw_image(int64_t width, int64_t height, ImageMode mode) {
  RawImage image;
  image.width = static_cast<int32_t>(width);
  image.height = static_cast<int32_t>(height);
  image.mode = mode;
  image.pixels.resize(static_cast<size_t>(width * height * bytes_per_pixel(mode)));
  return image;
}

bool is_jpeg(std::span<const uint8_t> bytes) { return starts_with(bytes, "\xFF\xD8\xFF"); }
bool is_png(std::span<const uint8_t> bytes) { return starts_with(bytes, "\x89PNG\r\n\x1A\n"); }
bool is_webp(std::span<const uint8_t> bytes) {
  return starts_with(bytes, "RIFF") && bytes.size() >= 12 && starts_with(bytes.subspan(8), "WEBP");
}
bool is_bmp(std::span<const uint8_t> bytes) { return starts_with(bytes, "BM"); }

RawImage decode_raw_image(std::span<const uint8_t> bytes, std::string_view label, const ImageLimits& limits) {
  const ImageSource source = {bytes, label, limits};
  const auto size = static_cast<int64_t>(bytes.size());
  if (size > limits.max_file_bytes) {
    source.fail(ErrorCode::limit_exceeded, "file size", "at most " + count_of(limits.max_file_bytes, "bytes"),
                count_of(size, "bytes"));
  }
  if (is_jpeg(bytes)) return decode_jpeg(source);
  if (is_png(bytes)) return decode_png(source);
  if (is_webp(bytes)) return decode_webp(source);
  if (is_bmp(bytes)) return decode_bmp(source);
  source.fail(ErrorCode::unsupported, "format", "a JPEG, PNG, WebP or BMP image", first_bytes(bytes));
}

Image decode_image(std::span<const uint8_t> bytes, std::string_view label, const ImageLimits& limits) {
  return to_rgb(decode_raw_image(bytes, label, limits));
}

Image read_image(const std::filesystem::path& path, const ImageLimits& limits) {
  const std::string bytes = read_whole(path, limits.max_file_bytes);
  const std::span<const uint8_t> view(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return decode_image(view, printable(path.native(), 1024), limits);
}

}  // namespace tw
