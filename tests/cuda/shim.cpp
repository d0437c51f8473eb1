// The host shim as what is under test.
#include "tests/cuda/shim.h"

#include "kernels/cuda/host_shim/block.h"
#include "kernels/cuda/host_shim/warp.h"
#include "tests/cuda/fake_cuda.h"
#include "tests/cuda/under_test.h"

namespace tw::test {
namespace {

DeviceHandle memory;

}  // namespace

Device device_under_test() {
  static Driver one;
  driver = &one;
  return fake_device();
}

bool has_sm90() { return true; }

DeviceHandle memory_under_test() { return memory; }
void set_memory_under_test(const DeviceHandle& device) {
  leave_kernels_to_driver();
  memory = device;
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
