#include "models/pixel_steps.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "core/checked_math.h"
#include "core/error.h"

namespace tw {
namespace {

[[noreturn]] void refuse(std::string field, std::string expected, std::string found) {
  throw Error(ErrorCode::invalid_argument,
              {.field = std::move(field), .expected = std::move(expected), .found = std::move(found)});
}

int64_t pixel_bytes(const PixelArray& a) {
  const bool first = a.layout == ChannelLayout::channels_first;
  return size_of(a.dtype) * (first ? 1 : a.channels);
}

int64_t row_stride(const PixelArray& a) { return a.row_stride != 0 ? a.row_stride : a.width * pixel_bytes(a); }
int64_t plane_stride(const PixelArray& a) { return a.plane_stride != 0 ? a.plane_stride : a.height * row_stride(a); }

// What np.allclose(image, image.astype(int)) says of one value: near its integer part, or not finite and equal to it.
bool nearly_whole(double value) {
  if (!std::isfinite(value) || std::abs(value) >= 0x1p63) return false;
  const double whole = std::trunc(value);
  return std::abs(value - whole) <= 1e-8 + 1e-5 * std::abs(whole);
}

template <class T>
BytePixels bytes_from(const Pixels& pixels) {
  const T* values = pixels.as<T>();
  const int64_t count = pixels.count();
  bool whole = true, bytes = true, unit = true;
  for (int64_t i = 0; i < count; ++i) {
    const auto v = static_cast<double>(values[i]);
    whole = whole && nearly_whole(v);
    bytes = bytes && v >= 0.0 && v <= 255.0;
    unit = unit && v >= 0.0 && v <= 1.0;
  }
  if (whole ? !bytes : !unit) {
    const auto [low, high] = std::minmax_element(values, values + count);
    refuse("pixels", whole ? "whole numbers of [0, 255]" : "values of [0, 1], or whole numbers of [0, 255]",
           "values from " + std::to_string(*low) + " to " + std::to_string(*high));
  }
  BytePixels out = {make_pixels(DType::u8, pixels.extent, pixels.channels), !whole};
  auto* to = out.pixels.as<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    // Truncated, and the product rounded to f32 before that: all as there.
    const auto v = whole ? static_cast<double>(values[i]) : static_cast<double>(static_cast<float>(values[i] * T{255}));
    to[i] = static_cast<uint8_t>(v);
  }
  return out;
}

// Floor of a / 2, for negative numbers too.
int32_t half_down(int32_t a) { return a >= 0 ? a / 2 : -((1 - a) / 2); }

}  // namespace

Pixels make_pixels(DType dtype, ImageExtent extent, int32_t channels) {
  Pixels pixels = {dtype, extent, channels, {}};
  pixels.data.resize(static_cast<size_t>(pixels.count() * size_of(dtype)));
  return pixels;
}

void check_array(const PixelArray& a) {
  if (a.dtype != DType::u8 && a.dtype != DType::f32 && a.dtype != DType::f64) {
    refuse("pixels.dtype", "u8, f32 or f64", std::string(name(a.dtype)));
  }
  if (a.channels != 1 && a.channels != 3) refuse("pixels.channels", "1 or 3", std::to_string(a.channels));
  const auto check_side = [](const char* field, int32_t side) {
    if (side < 1 || side > kMaxResizeSide)
      refuse(field, "1 to " + std::to_string(kMaxResizeSide), std::to_string(side));
  };
  check_side("pixels.height", a.height);
  check_side("pixels.width", a.width);

  const auto check_stride = [](const char* field, int64_t stride, int64_t least) {
    if (stride < least) refuse(field, "at least " + std::to_string(least) + " bytes", std::to_string(stride));
  };
  const int64_t row = a.width * pixel_bytes(a);
  check_stride("pixels.row_stride", row_stride(a), row);
  std::optional<int64_t> needed = checked_mul(a.height - 1, row_stride(a));
  if (needed) needed = checked_add(*needed, row);
  if (needed && a.layout == ChannelLayout::channels_first) {
    check_stride("pixels.plane_stride", plane_stride(a), *needed);
    const auto planes = checked_mul(a.channels - 1, plane_stride(a));
    needed = planes ? checked_add(*planes, *needed) : std::nullopt;
  }
  if (!needed || static_cast<uint64_t>(*needed) > a.data.size()) {
    refuse("pixels.data", needed ? "at least " + std::to_string(*needed) + " bytes" : "more bytes than there can be",
           std::to_string(a.data.size()));
  }
}

Pixels dense_copy(const PixelArray& a) {
  Pixels out = make_pixels(a.dtype, {a.height, a.width}, a.channels);
  const auto step = static_cast<size_t>(pixel_bytes(a)), row = step * static_cast<size_t>(a.width);
  std::byte* to = out.data.data();
  for (int64_t y = 0; y < a.height; ++y) {
    const std::byte* from = a.data.data() + y * row_stride(a);
    if (a.layout == ChannelLayout::channels_last) {
      std::memcpy(to, from, row);
      to += row;
      continue;
    }
    for (int64_t x = 0; x < a.width; ++x) {
      for (int64_t c = 0; c < a.channels; ++c, to += step) {
        std::memcpy(to, from + c * plane_stride(a) + x * static_cast<int64_t>(step), step);
      }
    }
  }
  return out;
}

BytePixels to_bytes(Pixels pixels) {
  if (pixels.dtype == DType::u8) return {std::move(pixels), false};
  return pixels.dtype == DType::f32 ? bytes_from<float>(pixels) : bytes_from<double>(pixels);
}

CropWindow center_crop_window(ImageExtent from, ImageExtent to) {
  // A smaller image is padded in front by half the difference rounded up, as the reference does from 4.46 on; before,
  // it lost a row or column when that difference was odd.
  const auto along = [](int32_t size, int32_t wanted, int32_t& source, int32_t& target, int32_t& length) {
    const int32_t start = half_down(size - wanted);
    source = std::max(start, 0);
    target = std::max(-start, 0);
    length = std::min(size, wanted);
  };
  CropWindow window = {};
  along(from.height, to.height, window.source_y, window.y, window.extent.height);
  along(from.width, to.width, window.source_x, window.x, window.extent.width);
  return window;
}

void copy_window(const CropWindow& w, const std::byte* from, ImageExtent from_extent, std::byte* to,
                 ImageExtent to_extent, int64_t bytes) {
  const auto row = static_cast<size_t>(w.extent.width * bytes);
  for (int64_t y = 0; y < w.extent.height; ++y) {
    const int64_t source = (w.source_y + y) * from_extent.width + w.source_x;
    const int64_t target = (w.y + y) * to_extent.width + w.x;
    std::memcpy(to + target * bytes, from + source * bytes, row);
  }
}

}  // namespace tw
