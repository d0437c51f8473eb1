// Colour modes to RGB: Pillow's convert("RGB") (libImaging/Convert.c).
#include <algorithm>

#include "io/image_decode.h"

namespace tw {
namespace {

// round(a * b / 255), in integers.
int multiply_255(int a, int b) {
  const int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

template <class ToRgb>
void convert(const RawImage& raw, std::vector<uint8_t>& rgb, ToRgb to_rgb) {
  const auto count = static_cast<size_t>(raw.width) * static_cast<size_t>(raw.height);
  const auto step = static_cast<size_t>(bytes_per_pixel(raw.mode));
  rgb.resize(count * 3);
  const uint8_t* in = raw.pixels.data();
  uint8_t* out = rgb.data();
  for (size_t i = 0; i < count; ++i, in += step, out += 3) to_rgb(in, out);
}

void repeat(uint8_t value, uint8_t* out) { out[0] = out[1] = out[2] = value; }

}  // namespace

std::string_view name(ImageMode mode) {
  switch (mode) {
    case ImageMode::bilevel:
      return "1";
    case ImageMode::grey:
      return "L";
    case ImageMode::palette:
      return "P";
    case ImageMode::rgb:
      return "RGB";
    case ImageMode::rgba:
      return "RGBA";
    case ImageMode::grey_alpha:
      return "LA";
    case ImageMode::cmyk:
      return "CMYK";
    case ImageMode::grey16:
      return "I;16";
  }
  return "?";
}

int bytes_per_pixel(ImageMode mode) {
  switch (mode) {
    case ImageMode::bilevel:
    case ImageMode::grey:
    case ImageMode::palette:
      return 1;
    case ImageMode::grey_alpha:
    case ImageMode::grey16:
      return 2;
    case ImageMode::rgb:
      return 3;
    case ImageMode::rgba:
    case ImageMode::cmyk:
      return 4;
  }
  return 0;
}

Image to_rgb(RawImage raw) {
  Image image = {raw.width, raw.height, {}, raw.mode};
  switch (raw.mode) {
    case ImageMode::rgb:
      image.rgb = std::move(raw.pixels);
      break;
    case ImageMode::bilevel:
    case ImageMode::grey:
    case ImageMode::grey_alpha:
      convert(raw, image.rgb, [](const uint8_t* in, uint8_t* out) { repeat(in[0], out); });
      break;
    case ImageMode::grey16:
      // Saturated, not scaled.
      convert(raw, image.rgb, [](const uint8_t* in, uint8_t* out) { repeat(in[1] != 0 ? 255 : in[0], out); });
      break;
    case ImageMode::rgba:
      convert(raw, image.rgb, [](const uint8_t* in, uint8_t* out) { std::copy_n(in, 3, out); });
      break;
    case ImageMode::palette:
      convert(raw, image.rgb,
              [&](const uint8_t* in, uint8_t* out) { std::copy_n(raw.palette.data() + 3 * in[0], 3, out); });
      break;
    case ImageMode::cmyk:
      convert(raw, image.rgb, [](const uint8_t* in, uint8_t* out) {
        const int light = 255 - in[3];
        for (int c = 0; c < 3; ++c)
          out[c] = static_cast<uint8_t>(std::clamp(light - multiply_255(in[c], light), 0, 255));
      });
      break;
  }
  return image;
}

}  // namespace tw
