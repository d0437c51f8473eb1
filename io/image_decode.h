// Still pictures from memory or disk: JPEG, PNG, WebP and BMP, with the pixels that Pillow reads from them.
//
// decode_image() equals Pillow 13's Image.open(file).convert("RGB") byte for byte; docs/image-parity.md lists what was
// compared and the few deliberate differences. EXIF orientation, colour profiles and gamma are ignored, alpha is
// dropped without compositing, of an animation the first frame is taken: all as there. In builds with stb_image the
// pixels of JPEG files differ by small amounts, and WebP is not read.
//
// All functions may be called from several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace tw {

// What a file may ask for. Checked against the file's own header before memory is allocated.
struct ImageLimits {
  int64_t max_file_bytes = int64_t{32} << 20;
  int64_t max_side = 16384;                // pixels
  int64_t max_pixels = int64_t{64} << 20;  // width times height
  int64_t max_jpeg_scans = 100;            // and scans times pixels stay below 2^30 in progressive files
};

// How a file stores its colours, named as in Pillow.
enum class ImageMode {
  bilevel,     // "1": one byte, 0 or 255
  grey,        // "L"
  palette,     // "P": one byte, an index
  rgb,         // "RGB"
  rgba,        // "RGBA"
  grey_alpha,  // "LA"
  cmyk,        // "CMYK"
  grey16,      // "I;16": two bytes, little-endian
};

// Pillow's name.
std::string_view name(ImageMode mode);
int bytes_per_pixel(ImageMode mode);

// Pixels as stored, in rows from top to bottom without gaps.
struct RawImage {
  int32_t width = 0, height = 0;
  ImageMode mode = ImageMode::rgb;
  std::vector<uint8_t> pixels;   // [height, width, bytes_per_pixel(mode)]
  std::vector<uint8_t> palette;  // ImageMode::palette only: 256 entries R, G, B; unused ones are black
};

struct Image {
  int32_t width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
  ImageMode source_mode = ImageMode::rgb;
};

// `label` stands for the image in error messages: its path, or "image[3]".
// Throws Error: unsupported for other formats and exotic variants, truncated for a file that ends early, malformed for
// one that contradicts its format, limit_exceeded.
RawImage decode_raw_image(std::span<const uint8_t> bytes, std::string_view label, const ImageLimits& limits = {});
Image decode_image(std::span<const uint8_t> bytes, std::string_view label, const ImageLimits& limits = {});

// Also throws what read_whole() throws.
Image read_image(const std::filesystem::path& path, const ImageLimits& limits = {});

// Pillow's convert("RGB"): grey is repeated, 16-bit grey above 255 becomes 255, alpha is dropped.
Image to_rgb(RawImage raw);

}  // namespace tw
