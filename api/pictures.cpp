#include "api/pictures.h"

#include "api/boundary.h"

namespace tw {

ImageLimits read_limits(const tuwen_image_options* given) {
  const tuwen_image_options o = read_options(given, "options");
  check_reserved(o.reserved, "options");
  ImageLimits limits;
  const auto set = [](int64_t& limit, int64_t value, const char* name) {
    if (value < 0) throw_argument(name, "0 or more", std::to_string(value));
    if (value > 0) limit = value;
  };
  set(limits.max_file_bytes, o.max_bytes, "options.max_bytes");
  set(limits.max_pixels, o.max_pixels, "options.max_pixels");
  set(limits.max_side, o.max_side, "options.max_side");
  return limits;
}

const Image& PictureList::get(size_t i, Image& memory) const {
  const std::string at = "[" + std::to_string(i) + "]";
  if (images != nullptr) return not_null(images[i], ("image" + at).c_str()).image;
  if (files != nullptr) {
    const auto* bytes = static_cast<const uint8_t*>(files[i]);
    if (sizes[i] > 0) not_null(bytes, ("files" + at).c_str());
    memory = decode_image({bytes, sizes[i]}, "image" + at, limits);
    return memory;
  }
  memory = read_image(&not_null(paths[i], ("paths" + at).c_str()), limits);
  return memory;
}

std::string PictureList::name(size_t i) const {
  std::string path;
  if (images != nullptr && images[i] != nullptr) path = images[i]->path;
  if (paths != nullptr && paths[i] != nullptr) path = printable(paths[i], 1024);
  return path.empty() ? "image[" + std::to_string(i) + "]" : path;
}

}  // namespace tw
