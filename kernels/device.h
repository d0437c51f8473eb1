// What models run on where that is not the CPU.
#pragma once

#include <string>

#include "core/blaslt.h"
#include "core/device.h"
#include "kernels/device_table.h"

namespace tw {

// A device and its kernels.
struct Device {
  DeviceHandle handle = {};
  const DeviceTable* table = nullptr;
  std::string name = {};                       // as its maker calls it
  bool fp8 = false;                            // whether it multiplies E4M3
  const BlasLtLibrary& (*blaslt)() = nullptr;  // a library of products, looked for by the first call; null: none

  explicit operator bool() const { return handle.api != nullptr; }  // else the CPU
};

}  // namespace tw
