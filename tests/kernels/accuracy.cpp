// Prints the worst error of every operation and table at the end of a run, when TUWEN_TEST_ACCURACY is set.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <cstdio>
#include <cstdlib>
#include <map>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

std::map<std::string, std::map<std::string, double>>& worst_errors() {
  static std::map<std::string, std::map<std::string, double>> worst;  // operation, then table
  return worst;
}

struct PrintAtEnd : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunEnded(const Catch::TestRunStats&) override {
    if (std::getenv("TUWEN_TEST_ACCURACY") == nullptr) return;
    std::printf("largest error / bound:\n");
    for (const auto& [operation, tables] : worst_errors()) {
      std::printf("  %-36s", operation.c_str());
      for (const auto& [table, ratio] : tables) std::printf("  %s %.3g", table.c_str(), ratio);
      std::printf("\n");
    }
  }
};
CATCH_REGISTER_LISTENER(PrintAtEnd)

}  // namespace

void record_error(const std::string& operation, const std::string& table, double ratio) {
  double& worst = worst_errors()[operation][table];
  worst = std::max(worst, ratio);
}

}  // namespace tw::test
