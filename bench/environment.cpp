#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <fstream>

#include "bench/report.h"
#include "core/cpu_info.h"

namespace tw::bench {

Record environment() {
  const CpuInfo cpu = query_cpu();
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts;
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
  return {{"cpu", cpu.brand},           {"cores", cpu.cores},     {"cpu_flags", cpu.flags()},
          {"compiler", TUWEN_COMPILER}, {"commit", TUWEN_COMMIT}, {"date", date}};
}

namespace {

double& highest() {
  static double mb = 0;
  return mb;
}

}  // namespace

double peak_memory_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  highest() = std::max(highest(), static_cast<double>(usage.ru_maxrss) / 1024);
  return highest();
}

void forget_peak_memory() { std::ofstream("/proc/self/clear_refs") << 5; }

}  // namespace tw::bench
