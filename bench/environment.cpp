#include <sys/resource.h>

#include <ctime>

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

double peak_memory_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace tw::bench
