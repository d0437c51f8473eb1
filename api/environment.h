// The one place where the library reads the environment.
#pragma once

#include <cstdlib>
#include <string>

#include "core/error.h"

namespace tw {

// TUWEN_ISA: the kernel table to use; empty for the fastest.
inline std::string wanted_isa() {
  const char* value = std::getenv("TUWEN_ISA");
  return value == nullptr ? std::string() : std::string(value);
}

// TUWEN_CUDA_EARLY_LAUNCH: whether kernels of a CUDA device are to begin before those in front of them have ended,
// where the device can. Throws invalid_argument unless it is 1, 0 or empty.
inline bool wants_early_launch() {
  constexpr const char* kName = "TUWEN_CUDA_EARLY_LAUNCH";
  const char* value = std::getenv(kName);
  const std::string wanted = value == nullptr ? "" : value;
  if (!wanted.empty() && wanted != "0" && wanted != "1")
    throw Error(ErrorCode::invalid_argument, {.field = kName, .expected = "0 or 1", .found = printable(wanted)});
  return wanted == "1";
}

}  // namespace tw
