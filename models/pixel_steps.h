// The steps of image processing on dense pixels [height, width, channels]. Private to models/image_processor.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "models/image_processor.h"

namespace tw {

// Dense pixels of u8, f32 or f64.
struct Pixels {
  DType dtype = DType::u8;
  ImageExtent extent;
  int32_t channels = 3;
  std::vector<std::byte> data;

  int64_t count() const { return int64_t{extent.height} * extent.width * channels; }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data.data());
  }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data.data());
  }
};

Pixels make_pixels(DType dtype, ImageExtent extent, int32_t channels);

// Throws invalid_argument for an array that is not what it says: unknown type, sizes or strides that leave its data.
void check_array(const PixelArray& array);
Pixels dense_copy(const PixelArray& array);

// Bytes for resizing, the way the reference makes a PIL image. scaled: the values lay in [0, 1] and were multiplied by
// 255.
struct BytePixels {
  Pixels pixels;
  bool scaled = false;
};
BytePixels to_bytes(Pixels pixels);

CropWindow center_crop_window(ImageExtent from, ImageExtent to);

// Copies the window of `from` into zeroed `to`; pixel_bytes is channels times size_of(dtype).
void copy_window(const CropWindow& window, const std::byte* from, ImageExtent from_extent, std::byte* to,
                 ImageExtent to_extent, int64_t pixel_bytes);

}  // namespace tw
