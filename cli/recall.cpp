// tuwen recall --reference test_texts.jsonl --text-to-image P.jsonl: R@1, R@5, R@10 and their mean.
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/command.h"
#include "cli/json_writer.h"
#include "cli/output_file.h"
#include "cli/python_json.h"
#include "cli/recall_score.h"

namespace tuwen_cli {
namespace {

struct Options {
  std::string reference, image_reference, text_to_image, image_to_text, out, image_out, write_inverted;
  bool json = false;
};

void write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  OutputFile file(path);
  file.write(text);
  file.commit();
}

// Scores one direction and writes its result file, also of a failure.
template <class Read>
std::optional<Recall> score(const std::string& predictions, const Direction& direction, const std::string& out,
                            const std::string& reference_path, Read read) {
  if (predictions.empty()) return std::nullopt;
  try {
    const Recall recall = score_predictions(predictions, direction, read(), reference_path);
    write_file(out, success_file(recall));
    return recall;
  } catch (const Failure& failure) {
    write_file(out, failure_file(failure.what()));
    throw;
  }
}

void write_inverted(const Options& options) {
  if (options.write_inverted.empty()) return;
  const Reference inverted = read_inverted_reference(options.reference);
  std::string text;
  for (size_t q = 0; q < inverted.queries.size(); ++q) {
    text += "{\"image_id\": " + std::to_string(inverted.queries[q]) + ", \"text_ids\": ";
    append_python_ints(text, inverted.answers[q]);
    text += "}\n";
  }
  write_file(options.write_inverted, text);
}

void print(const Direction& direction, const Recall& recall) {
  std::printf("%s  R@1 %6.2f  R@5 %6.2f  R@10 %6.2f  mean %6.2f\n", direction.name, recall.r1, recall.r5, recall.r10,
              recall.mean);
}

void write_json(JsonWriter& json, const char* key, const Recall& recall) {
  json.key(key).begin_object().key("r1").value(recall.r1).key("r5").value(recall.r5).key("r10").value(recall.r10);
  json.key("mean_recall").value(recall.mean).end_object();
}

void run(const Options& options) {
  const bool inverts = options.image_reference.empty();
  if (options.text_to_image.empty() && options.image_to_text.empty() && options.write_inverted.empty()) {
    throw UsageError("at least one of --text-to-image, --image-to-text, --write-inverted is needed");
  }
  if (!options.out.empty() && options.text_to_image.empty()) throw UsageError("--out: is of --text-to-image");
  if (!options.image_out.empty() && options.image_to_text.empty()) throw UsageError("--out-tr: is of --image-to-text");
  if (options.reference.empty() && (!options.text_to_image.empty() || !options.write_inverted.empty() || inverts)) {
    throw UsageError("--reference is needed");
  }
  write_inverted(options);
  const auto t2i = score(options.text_to_image, kTextToImage, options.out, options.reference,
                         [&] { return read_reference(options.reference, kTextToImage); });
  const auto i2t = score(options.image_to_text, kImageToText, options.image_out,
                         inverts ? options.reference : options.image_reference, [&] {
                           return inverts ? read_inverted_reference(options.reference)
                                          : read_reference(options.image_reference, kImageToText);
                         });
  const bool both = t2i && i2t;
  const double mean = both ? (t2i->mean + i2t->mean) / 2 : 0;
  if (options.json) {
    JsonWriter json(std::cout);
    json.begin_object();
    if (t2i) write_json(json, "text_to_image", *t2i);
    if (i2t) write_json(json, "image_to_text", *i2t);
    if (both) json.key("mean_recall").value(mean);
    json.end_object();
    std::cout << "\n";
    return;
  }
  if (t2i) print(kTextToImage, *t2i);
  if (i2t) print(kImageToText, *i2t);
  if (both) std::printf("both ways      mean recall %.2f\n", mean);
  std::fflush(stdout);
}

}  // namespace

void add_recall(CLI::App& program) {
  auto* command = program.add_subcommand("recall", "R@1, R@5, R@10 and mean recall of predictions");
  auto options = std::make_shared<Options>();
  command
      ->add_option("--reference", options->reference,
                   "what belongs together: lines {\"text_id\": ..., \"image_ids\": [...]} (NAME_texts.jsonl)")
      ->check(not_empty());
  command->add_option("--text-to-image", options->text_to_image, "predictions of 'retrieve --of texts', ten each")
      ->check(not_empty());
  command->add_option("--image-to-text", options->image_to_text, "predictions of 'retrieve --of images', ten each")
      ->check(not_empty());
  command
      ->add_option("--reference-tr", options->image_reference,
                   "for image to text: lines {\"image_id\": ..., \"text_ids\": [...]} (NAME_texts.tr.jsonl); default:\n"
                   "--reference turned round")
      ->check(not_empty());
  command->add_option("--out", options->out, "the result file of evaluation.py, in percent, unrounded")
      ->check(not_empty());
  command->add_option("--out-tr", options->image_out, "the result file of evaluation_tr.py")->check(not_empty());
  command
      ->add_option("--write-inverted", options->write_inverted,
                   "writes --reference turned round, as transform_ir_annotation_to_tr.py does")
      ->check(not_empty());
  command->add_flag("--json", options->json, "machine-readable output, floats in full precision");
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
