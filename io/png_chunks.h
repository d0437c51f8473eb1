// The structure of a PNG file, read before a decoder sees it.
#pragma once

#include <cstdint>

#include "io/image_source.h"

namespace tw {

enum class PngColour { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgba = 6 };

struct PngHeader {
  int64_t width, height;
  int depth;  // bits per sample
  PngColour colour;
  bool interlaced;
};

// Walks the chunks up to IEND (PNG specification, section 5): sizes within the limits, a valid depth for the colour
// type, every chunk whole, checksums right for the critical chunks and for those before the pixels (as Pillow demands).
PngHeader check_png(const ImageSource& source);

// How Pillow opens such a file.
ImageMode mode_of(const PngHeader& header);

}  // namespace tw
