// Which library decodes pictures in this build.
#pragma once

#include "core/error.h"
#include "io/image_decode.h"

namespace tw::test {

// Builds with stb_image read no WebP and give other JPEG pixels.
inline bool built_with_stb() {
  try {
    read_image(TUWEN_TEST_DATA "/images/files/webp-rgb.webp");
    return false;
  } catch (const Error& error) {
    return error.code() == ErrorCode::unsupported;
  }
}

}  // namespace tw::test
