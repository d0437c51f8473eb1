// Pictures: decoded files, and pixels that the caller decoded.
#include "api/boundary.h"
#include "api/handles.h"
#include "api/pictures.h"
#include "core/checked_math.h"

namespace tw {
namespace {

// Checks that every byte of `p` lies inside `size` bytes, before any is read.
void check_pixels(const tuwen_pixels& p, size_t size) {
  constexpr int64_t kMaxSide = int64_t{1} << 24;
  const auto check_side = [](int64_t side, const char* name) {
    if (side < 1 || side > kMaxSide) throw_argument(name, "1 to " + std::to_string(kMaxSide), std::to_string(side));
  };
  check_side(p.width, "pixels.width");
  check_side(p.height, "pixels.height");
  if (p.channels != 1 && p.channels != 3 && p.channels != 4) {
    throw_argument("pixels.channels", "1, 3 or 4", std::to_string(p.channels));
  }
  const int64_t row = p.width * p.channels;  // at most 2^26
  if (p.row_bytes < row) {
    throw_argument("pixels.row_bytes", "at least " + std::to_string(row), std::to_string(p.row_bytes));
  }
  const auto before_last = checked_mul(p.height - 1, p.row_bytes);
  const auto needed = before_last ? checked_add(*before_last, row) : std::nullopt;
  if (!needed || *needed < 0 || static_cast<uint64_t>(*needed) > size) {
    throw_argument("size", needed ? "at least " + std::to_string(*needed) + " bytes" : "more than there can be",
                   std::to_string(size));
  }
  not_null(p.data, "pixels.data");
}

Image copy_of(const tuwen_pixels& p) {
  Image image;
  image.width = static_cast<int32_t>(p.width);
  image.height = static_cast<int32_t>(p.height);
  image.rgb.resize(static_cast<size_t>(p.width * p.height * 3));
  uint8_t* out = image.rgb.data();
  for (int64_t y = 0; y < p.height; ++y) {
    const uint8_t* row = p.data + y * p.row_bytes;
    for (int64_t x = 0; x < p.width; ++x, out += 3) {
      const uint8_t* pixel = row + x * p.channels;
      for (int c = 0; c < 3; ++c) out[c] = pixel[p.channels == 1 ? 0 : c];
    }
  }
  return image;
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_image_read(const char* path, const tuwen_image_options* options, tuwen_image** image) {
  return guarded([&] {
    not_null(image, "image");
    const ImageLimits limits = read_limits(options);
    *image = new tuwen_image{read_image(checked_path(path, "path"), limits), printable(path, 1024)};
  });
}

tuwen_status tuwen_image_decode(const void* bytes, size_t size, const tuwen_image_options* options,
                                tuwen_image** image) {
  return guarded([&] {
    not_null(image, "image");
    const ImageLimits limits = read_limits(options);
    const auto* data = static_cast<const uint8_t*>(bytes);
    if (size > 0) not_null(data, "bytes");
    *image = new tuwen_image{decode_image({data, size}, "image", limits)};
  });
}

tuwen_status tuwen_image_from_pixels(const tuwen_pixels* pixels, size_t size, tuwen_image** image) {
  return guarded([&] {
    not_null(image, "image");
    check_pixels(not_null(pixels, "pixels"), size);
    *image = new tuwen_image{copy_of(*pixels)};
  });
}

tuwen_status tuwen_image_get(const tuwen_image* image, tuwen_pixels* pixels) {
  return guarded([&] {
    const Image& i = not_null(image, "image").image;
    not_null(pixels, "pixels") = {
        .data = i.rgb.data(), .width = i.width, .height = i.height, .row_bytes = int64_t{3} * i.width, .channels = 3};
  });
}

void tuwen_image_free(tuwen_image* image) { delete image; }
