#include <fstream>
#include <random>

#include "bench/command.h"
#include "tuwen/tuwen.hpp"

namespace tw::bench {
namespace {

struct Options {
  Common common;
  std::string model, threads = "1", characters = "20", texts;
  int count = 2000;
};

std::string utf8(uint32_t c) {
  return {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
          static_cast<char>(0x80 | (c & 0x3F))};
}

// Texts of common Chinese characters, as captions have them.
std::vector<std::string> captions(int count, int characters) {
  std::mt19937 generator(3);
  std::uniform_int_distribution<uint32_t> character(0x4E00, 0x7FFF);
  std::vector<std::string> texts(static_cast<size_t>(count));
  for (std::string& text : texts)
    for (int i = 0; i < characters; ++i) text += utf8(character(generator));
  return texts;
}

std::vector<std::string> lines(const std::string& file) {
  std::ifstream stream(file);
  std::vector<std::string> all;
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  if (all.empty()) throw std::runtime_error("no line in " + file);
  return all;
}

void run(const Options& o) {
  Report report = o.common.report();
  const tuwen::Processor processor = tuwen::Processor::load(o.model);
  for (const int characters : o.texts.empty() ? parse_sweep(o.characters) : std::vector<int>{0}) {
    const std::vector<std::string> strings = o.texts.empty() ? captions(o.count, characters) : lines(o.texts);
    const tuwen::Texts texts(strings);
    for (const int threads : parse_sweep(o.threads)) {
      progress("tokenize " + std::to_string(characters) + " characters");
      auto options = tuwen::make<tuwen_tokenize_options>();
      options.threads = threads;
      const tuwen::Tokens tokens = processor.tokenize(texts, &options);
      if (tokens.rows() != strings.size()) throw std::runtime_error("tokenize: rows are missing");
      const Statistics s = measure(o.common.repetition, [&] { (void)processor.tokenize(texts, &options); });
      Record record = {
          {"bench", "tokenize"}, {"texts", strings.size()}, {"characters", characters}, {"threads", threads}};
      if (!o.texts.empty()) record["characters"] = o.texts;
      record["tokens"] = tokens.view().row_begin[tokens.rows()];
      add_times(record, s);
      record["items_per_s"] = static_cast<double>(strings.size()) / s.median * 1e3;
      report.add(record);
    }
  }
  progress("");
}

}  // namespace

void add_tokenize(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenize", "Chinese captions to token ids");
  auto o = std::make_shared<Options>();
  add_common_options(*command, o->common);
  add_model_option(*command, o->model);
  command->add_option("--threads", o->threads, "list or range")->capture_default_str();
  command->add_option("--characters", o->characters, "of each text, list or range")->capture_default_str();
  command->add_option("--texts", o->texts, "file with a text a line, instead of random ones")->check(CLI::ExistingFile);
  command->add_option("--count", o->count, "texts in a batch")->capture_default_str()->check(CLI::Range(1, 1000000));
  command->callback([=] { run(*o); });
}

}  // namespace tw::bench
