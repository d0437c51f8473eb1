// A card as what is under test: device 0 of the CUDA runtime. Exit status 77, with one sentence, where there is none
// that this build has kernels for. What checks measured goes to standard output, one JSON line each.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <iostream>
#include <sstream>

#include "core/device_blaslt.h"
#include "core/device_cuda.h"
#include "core/error.h"
#include "kernels/cuda/table_cuda.h"
#include "tests/cuda/under_test.h"

namespace tw::test {
namespace {

CudaDevice card;

Device device(KernelsBegin begin) {
  return {card.handle, &(card.sm90a ? cuda_table_sm90(begin) : cuda_table(begin)), card.name, card.multiplies_e4m3(),
          cublaslt};
}

}  // namespace

Device device_under_test() { return device(KernelsBegin::in_turn); }
Device early_device_under_test() { return card.early ? device(KernelsBegin::early) : Device(); }
bool has_sm90() { return card.sm90a; }
DeviceHandle memory_under_test() { return card.handle; }
bool early_under_test() { return false; }
void in_every_order(const std::function<void()>& body) { body(); }
uint64_t bank_conflicts() { return 0; }

void report(const std::string& what, double share) {
  std::ostringstream number;
  number << share;
  std::cout << R"({"check": ")" << what << R"(", "share_of_permitted": )" << (share <= 1e300 ? number.str() : "null")
            << "}" << std::endl;
}

}  // namespace tw::test

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  try {
    tw::test::card = tw::open_cuda(0);
  } catch (const tw::Error& e) {
    std::cerr << "test_gpu: skipped: " << e.what() << "\n";
    return kSkipped;
  }
  return Catch::Session().run(argc, argv) == 0 ? 0 : 1;
}
