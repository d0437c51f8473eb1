// The one place where the library reads the environment.
#pragma once

#include <cstdlib>
#include <string>

namespace tw {

// TUWEN_ISA: the kernel table to use; empty for the fastest.
inline std::string wanted_isa() {
  const char* value = std::getenv("TUWEN_ISA");
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace tw
