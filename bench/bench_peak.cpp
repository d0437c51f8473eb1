#include "bench/command.h"
#include "bench/peak.h"

namespace tw::bench {
namespace {

void run(const Common& common, const std::string& threads) {
  Report report = common.report();
  const CpuInfo cpu = query_cpu();
  for (const int count : parse_sweep(threads)) {
    for (const Arithmetic a : kAllArithmetic) {
      if (!runs_on(cpu, a)) continue;
      progress(std::string("peak ") + name(a));
      report.add({{"bench", "peak"}, {"what", name(a)}, {"threads", count}, {"gflops", peak_rate(a, count) / 1e9}});
    }
    for (const int kib : {16, 256, 4096, 262144}) {
      progress("read " + std::to_string(kib) + " KiB");
      report.add({{"bench", "peak"},
                  {"what", "read " + std::to_string(kib) + " KiB a thread"},
                  {"threads", count},
                  {"gbytes_per_s", read_bandwidth(int64_t{kib} << 10, count) / 1e9}});
    }
  }
  progress("");
}

}  // namespace

void add_peak(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("peak", "FMA, bf16 and int8 rates, cache and memory bandwidth of this machine");
  auto common = std::make_shared<Common>();
  auto threads = std::make_shared<std::string>("1," + std::to_string(query_cpu().cores));
  add_common_options(*command, *common);
  command->add_option("--threads", *threads, "list or range")->capture_default_str();
  command->callback([=] { run(*common, *threads); });
}

}  // namespace tw::bench
