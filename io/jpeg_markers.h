// The structure of a JPEG file, read before a decoder sees it.
#pragma once

#include <cstdint>

#include "io/image_source.h"

namespace tw {

struct JpegHeader {
  int64_t width, height;
  int components;  // 1, 3 or 4
};

// Walks the markers up to the end-of-image marker (ITU-T T.81, annex B). Refuses what would make a decoder work or
// allocate beyond the limits, what it would silently patch up (a file that ends early), and what Pillow does not read.
JpegHeader check_jpeg(const ImageSource& source);

}  // namespace tw
