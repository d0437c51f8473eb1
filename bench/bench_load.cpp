#include "bench/command.h"
#include "tuwen/tuwen.hpp"

namespace tw::bench {
namespace {

struct Options {
  Common common;
  std::string model;
};

void run(const Options& o) {
  Report report = o.common.report();
  const Statistics s = measure(o.common.repetition, [&] { (void)tuwen::Model::load(o.model); });
  const tuwen_model_info info = tuwen::Model::load(o.model).info();
  Record record = {{"bench", "load"}, {"precision", "f32"}};
  add_times(record, s);
  record["weight_mb"] = static_cast<double>(info.weight_bytes) / 1e6;
  record["gbytes_per_s"] = static_cast<double>(info.weight_bytes) / s.median / 1e6;
  record["peak_memory_mb"] = peak_memory_mb();
  record["model"] = o.model;
  report.add(record);
}

}  // namespace

void add_load(CLI::App& app) {
  CLI::App* command = app.add_subcommand("load", "reading and packing a model directory");
  auto o = std::make_shared<Options>();
  o->common.repetition = {.warmup = 1, .least = 3, .most = 100, .seconds = 0};
  add_common_options(*command, o->common);
  add_model_option(*command, o->model);
  command->callback([=] { run(*o); });
}

}  // namespace tw::bench
