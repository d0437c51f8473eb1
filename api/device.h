// Devices by their names.
#pragma once

#include <string>

#include "kernels/device.h"

namespace tw {

// "cpu" (no device), "cuda" or "cuda:N". Throws invalid_argument for another name of `argument`, and unsupported with
// one sentence where the device cannot be used.
Device open_device(const std::string& name, const char* argument);
// The other way round.
std::string device_text(const Device& device);

}  // namespace tw
