// What only tests of the host shim itself ask of it.
#pragma once

#include "core/device.h"

namespace tw::test {

// From now on single operations work on copies in this device's memory, as on a card; no device: where memory lies.
void set_memory_under_test(const DeviceHandle& device, bool kernels_begin_early = false);

}  // namespace tw::test
