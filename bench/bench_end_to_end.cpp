#include "bench/command.h"
#include "tuwen/tuwen.hpp"

namespace tw::bench {
namespace {

struct Options {
  Common common;
  std::string model, threads;
  std::vector<std::string> images, texts = {"一只猫", "一只狗", "海边的日落", "一辆红色的汽车"};
};

// From files and strings to probabilities; model and session stay loaded.
void run(const Options& o) {
  Report report = o.common.report();
  const tuwen::Model model = tuwen::Model::load(o.model);
  for (const int threads : parse_sweep(o.threads)) {
    auto options = tuwen::make<tuwen_session_options>();
    options.threads = threads;
    tuwen::Session session(model, &options);
    progress("e2e threads " + std::to_string(threads));
    const Statistics s = measure(o.common.repetition, [&] {
      std::vector<tuwen::Image> images;
      for (const std::string& file : o.images) images.push_back(tuwen::Image::read(file));
      (void)tuwen::softmax(session.logits(session.encode_images(images), session.encode_texts(o.texts)));
    });
    Record record = {{"bench", "e2e"},
                     {"images", o.images.size()},
                     {"texts", o.texts.size()},
                     {"threads", session.info().threads},
                     {"precision", "f32"}};
    add_times(record, s);
    record["items_per_s"] = static_cast<double>(o.images.size()) / s.median * 1e3;
    record["peak_memory_mb"] = peak_memory_mb();
    record["model"] = o.model;
    report.add(record);
  }
  progress("");
}

}  // namespace

void add_end_to_end(CLI::App& app) {
  CLI::App* command = app.add_subcommand("e2e", "decode, resize, tokenise, encode and compare");
  auto o = std::make_shared<Options>();
  o->threads = std::to_string(query_cpu().cores);
  add_common_options(*command, o->common);
  add_model_option(*command, o->model);
  command->add_option("--image", o->images, "picture files")->required()->check(CLI::ExistingFile);
  command->add_option("--text", o->texts, "texts to compare with")->capture_default_str();
  command->add_option("--threads", o->threads, "list or range")->capture_default_str();
  command->callback([=] { run(*o); });
}

}  // namespace tw::bench
