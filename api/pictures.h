// The caller's lists of pictures.
#pragma once

#include <cstddef>
#include <string>

#include "api/handles.h"

namespace tw {

// Throws invalid_argument for numbers that are no limits.
ImageLimits read_limits(const tuwen_image_options* given);

// Pictures that are decoded, or files of them by path or in memory: one of the three pointers is not null.
struct PictureList {
  const tuwen_image* const* images = nullptr;
  const char* const* paths = nullptr;
  const void* const* files = nullptr;
  const size_t* sizes = nullptr;  // of `files`
  ImageLimits limits = {};

  // The i-th, decoded into `memory` if it is a file.
  const Image& get(size_t i, Image& memory) const;
  // What errors call it: its path, or "image[3]".
  std::string name(size_t i) const;
};

}  // namespace tw
