// The host shim as what is under test.
#include "tests/cuda/shim.h"

#include "kernels/cuda/host_shim/block.h"
#include "kernels/cuda/host_shim/warp.h"
#include "tests/cuda/fake_cuda.h"
#include "tests/cuda/under_test.h"

namespace tw::test {
namespace {

DeviceHandle memory;
bool early = false;

// From one session to the next.
void use_lasting_driver() {
  static Driver one;
  driver = &one;
}

}  // namespace

Device device_under_test() {
  use_lasting_driver();
  return fake_device();
}
Device early_device_under_test() {
  use_lasting_driver();
  return fake_device(KernelsBegin::early);
}

bool has_sm90() { return true; }

DeviceHandle memory_under_test() { return memory; }
bool early_under_test() { return early; }
void set_memory_under_test(const DeviceHandle& device, bool kernels_begin_early) {
  leave_kernels_to_driver();
  memory = device;
  early = kernels_begin_early;
}

void in_every_order(const std::function<void()>& body) {
#ifdef __SANITIZE_ADDRESS__
  shim::set_settings({shim::Order::shuffled, 7});
  body();
#else
  for (const shim::Settings& s : {shim::Settings{shim::Order::forward}, shim::Settings{shim::Order::reverse},
                                  shim::Settings{shim::Order::shuffled, 7}}) {
    shim::set_settings(s);
    body();
  }
#endif
  shim::set_settings({});
}

uint64_t bank_conflicts() { return shim::bank_conflicts(); }
void report(const std::string&, double) {}

}  // namespace tw::test
