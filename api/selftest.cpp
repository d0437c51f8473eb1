// The regression checks of the kernels, wherever the library is installed.
#include <memory>

#include "api/boundary.h"
#include "core/cpu_info.h"
#include "kernels/check/check.h"
#include "kernels/select.h"

using namespace tw;

struct tuwen_selftest {
  struct Line {
    const char* isa;
    CheckResult result;
  };
  std::vector<Line> lines;
};

tuwen_status tuwen_selftest_run(const char* isa, uint64_t seed, tuwen_selftest** selftest) {
  return guarded([&] {
    not_null(selftest, "selftest");
    const CpuInfo cpu = query_cpu();
    const auto tables =
        isa == nullptr ? available_tables(cpu) : std::vector<const KernelTable*>{&select_table(cpu, isa)};
    auto test = std::make_unique<tuwen_selftest>();
    for (const KernelTable* table : tables)
      for (CheckResult& result : check_table(*table, seed)) test->lines.push_back({table->name, std::move(result)});
    *selftest = test.release();
  });
}

void tuwen_selftest_free(tuwen_selftest* selftest) { delete selftest; }

size_t tuwen_selftest_count(const tuwen_selftest* selftest) { return selftest == nullptr ? 0 : selftest->lines.size(); }

tuwen_status tuwen_selftest_at(const tuwen_selftest* selftest, size_t index, tuwen_selftest_result* result) {
  return guarded([&] {
    const auto& lines = not_null(selftest, "selftest").lines;
    if (index >= lines.size())
      throw_argument("index", "less than " + std::to_string(lines.size()), std::to_string(index));
    const tuwen_selftest::Line& line = lines[index];
    tuwen_selftest_result value = {};
    value.passed = line.result.passed ? 1 : 0;
    value.isa = line.isa;
    value.operation = line.result.name.c_str();
    value.worst = line.result.worst;
    value.detail = line.result.detail.c_str();
    write_info(result, value, "result");
  });
}
