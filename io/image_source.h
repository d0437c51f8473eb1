// What every image decoder is handed, and how it refuses. Private to io/image_*.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "io/image_decode.h"

namespace tw {

struct ImageSource {
  std::span<const uint8_t> bytes;
  std::string_view label;
  const ImageLimits& limits;

  [[noreturn]] void fail(ErrorCode code, std::string field, std::string expected, std::string found,
                         std::string note = {}) const;
  // The file ends at its last byte although `field` is still to come.
  [[noreturn]] void fail_truncated(std::string field) const;
  // A width and height as the file states them: positive and within the limits, or an error.
  void check_size(int64_t width, int64_t height) const;
};

// A RawImage with zeroed pixels of a size that check_size() has seen.
RawImage make_raw_image(int64_t width, int64_t height, ImageMode mode);

bool is_jpeg(std::span<const uint8_t> bytes);
bool is_png(std::span<const uint8_t> bytes);
bool is_webp(std::span<const uint8_t> bytes);
bool is_bmp(std::span<const uint8_t> bytes);

RawImage decode_jpeg(const ImageSource& source);
RawImage decode_png(const ImageSource& source);
RawImage decode_webp(const ImageSource& source);
RawImage decode_bmp(const ImageSource& source);

}  // namespace tw
