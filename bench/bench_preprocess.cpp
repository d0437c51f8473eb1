#include <filesystem>

#include "bench/command.h"
#include "bench/inputs.h"
#include "tuwen/tuwen.hpp"

namespace tw::bench {
namespace {

struct Options {
  Common common;
  std::string model;
  std::vector<std::string> images;
};

void add(Report& report, const std::string& what, const std::string& name, const Repetition& repetition, auto work) {
  progress(what + " " + name);
  const Statistics s = measure(repetition, work);
  Record record = {{"bench", "preprocess"}, {"what", what}, {"image", name}, {"threads", 1}};
  add_times(record, s);
  record["items_per_s"] = 1e3 / s.median;
  report.add(record);
}

void run(const Options& o) {
  Report report = o.common.report();
  const tuwen::Processor processor = tuwen::Processor::load(o.model);
  for (const std::string& file : o.images) {
    const std::string name = std::filesystem::path(file).filename().string();
    add(report, "decode", name, o.common.repetition, [&] { (void)tuwen::Image::read(file); });
    std::vector<tuwen::Image> image;
    image.push_back(tuwen::Image::read(file));
    add(report, "resize and normalise", name, o.common.repetition, [&] { (void)processor.preprocess(image); });
    add(report, "all", name, o.common.repetition, [&] {
      std::vector<tuwen::Image> one;
      one.push_back(tuwen::Image::read(file));
      (void)processor.preprocess(one);
    });
  }
  const std::vector<uint8_t> rgb = photograph(1280, 960, 1);
  std::vector<tuwen::Image> synthetic;
  synthetic.push_back(tuwen::Image::from_pixels({rgb.data(), 1280, 960, 3 * 1280, 3}, rgb.size()));
  add(report, "resize and normalise", "1280x960 synthetic", o.common.repetition,
      [&] { (void)processor.preprocess(synthetic); });
  progress("");
}

}  // namespace

void add_preprocess(CLI::App& app) {
  CLI::App* command = app.add_subcommand("preprocess", "decoding and resizing of pictures, one thread");
  auto o = std::make_shared<Options>();
  add_common_options(*command, o->common);
  add_model_option(*command, o->model);
  command->add_option("--image", o->images, "picture files")->check(CLI::ExistingFile);
  command->callback([=] { run(*o); });
}

}  // namespace tw::bench
