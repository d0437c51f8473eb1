// tuwen retrieve --image-feats I --text-feats T --out P.jsonl: the most similar images of each text, or texts of each
// image, as make_topk_predictions.py and make_topk_predictions_tr.py of OFA-Sys/Chinese-CLIP write them.
#include <memory>

#include "cli/command.h"
#include "cli/feature_file.h"
#include "cli/interrupt.h"
#include "cli/nearest.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "cli/python_json.h"

namespace tuwen_cli {
namespace {

struct Options {
  std::string image_features, text_features, out, of = "texts";
  size_t top = 10;
  int threads = 0;
  bool quiet = false;
};

void run(const Options& options) {
  const bool of_texts = options.of == "texts";
  const std::string& queries = of_texts ? options.text_features : options.image_features;
  const std::string& candidates = of_texts ? options.image_features : options.text_features;
  const char* const query_id = of_texts ? "text_id" : "image_id";
  const char* const found_ids = of_texts ? "image_ids" : "text_ids";

  catch_interrupts();
  const Features rows = read_features(candidates, of_texts ? "image_id" : "text_id");
  OutputFile file(options.out);
  Progress progress(count_features(queries), options.of, options.quiet);
  constexpr size_t kQueriesAtOnce = 512;
  for_each_part(queries, query_id, kQueriesAtOnce, [&](const Features& part) {
    check_interrupt();
    if (!rows.ids.empty() && part.rows.columns != rows.rows.columns) {
      throw Failure(queries + ": feature: expected " + std::to_string(rows.rows.columns) + " numbers, as " +
                    candidates + " has, found " + std::to_string(part.rows.columns));
    }
    const auto found = nearest(part.rows, rows.rows, options.top, options.threads);
    std::string lines;
    for (size_t q = 0; q < found.size(); ++q) {
      std::vector<int64_t> ids;
      for (const size_t r : found[q]) ids.push_back(rows.ids[r]);
      lines += std::string("{\"") + query_id + "\": " + std::to_string(part.ids[q]) + ", \"" + found_ids + "\": ";
      append_python_ints(lines, ids);
      lines += "}\n";
    }
    file.write(lines);
    progress.advance(found.size());
  });
  file.commit();
}

}  // namespace

void add_retrieve(CLI::App& program) {
  auto* command = program.add_subcommand("retrieve", "the most similar images of each text, or the other way round");
  auto options = std::make_shared<Options>();
  const char* const help =
      "features that 'tuwen features' or extract_features.py wrote: X.jsonl, or X.npy and X.ids.npy";
  command->add_option("--image-feats", options->image_features, help)->required()->check(not_empty());
  command->add_option("--text-feats", options->text_features, help)->required()->check(not_empty());
  command
      ->add_option("--out", options->out,
                   "lines {\"text_id\": ..., \"image_ids\": [...]}, or {\"image_id\": ..., \"text_ids\": [...]}, most\n"
                   "similar first, equally similar ones in their file's order. Appears whole or not at all")
      ->required()
      ->check(not_empty());
  command->add_option("--of", options->of, "what is looked up: texts (default), for the images of each; or images")
      ->check(CLI::IsMember({"texts", "images"}));
  command->add_option("--top-k", options->top, "how many (default: 10, which is what recall needs)")
      ->check(CLI::Range(size_t{1}, size_t{1} << 31));
  command->add_option("--threads", options->threads, "threads to use (default: every CPU)")->check(CLI::Range(1, 1024));
  command->add_flag("-q,--quiet", options->quiet, "no progress bar, no notes");
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
