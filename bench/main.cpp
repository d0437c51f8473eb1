// tuwen-bench: what this machine can do, and what tuwen does with it. Every benchmark verifies before it times.
#include <cstdio>
#include <exception>

#include "bench/command.h"
#include "tuwen/tuwen.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Measures the kernels and the encoders against what this machine can do.", "tuwen-bench"};
  app.set_version_flag("--version", tuwen_version());
  app.require_subcommand(1);
  tw::bench::add_peak(app);
  tw::bench::add_kernels(app);
  tw::bench::add_encode(app);
  tw::bench::add_preprocess(app);
  tw::bench::add_tokenize(app);
  tw::bench::add_load(app);
  tw::bench::add_end_to_end(app);
  tw::bench::add_threads(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tuwen-bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
