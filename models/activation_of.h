// From a configuration's hidden_act to the runtime's enumeration.
#pragma once

#include <string>

#include "core/error.h"
#include "kernels/activation.h"

namespace tw {

// Throws unsupported naming `field` and every accepted name.
inline Activation activation_of(const std::string& name, const char* field) {
  if (const auto known = activation_from_name(name)) return *known;
  throw Error(ErrorCode::unsupported, {.file = "config.json",
                                       .field = field,
                                       .expected = "one of " + std::string(activation_names()),
                                       .found = "\"" + printable(name) + "\""});
}

}  // namespace tw
