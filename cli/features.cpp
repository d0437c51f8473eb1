// tuwen features MODEL --images X_imgs.tsv --out X.jsonl: features of a data set, as extract_features.py of
// OFA-Sys/Chinese-CLIP writes them.
#include <algorithm>
#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/evaluation_texts.h"
#include "cli/feature_writer.h"
#include "cli/interrupt.h"
#include "cli/lines.h"
#include "cli/mapped_input.h"
#include "cli/model_identity.h"
#include "cli/pictures_ahead.h"
#include "cli/pipeline.h"
#include "cli/progress.h"
#include "cli/records.h"
#include "cli/shard.h"

namespace tuwen_cli {
namespace {

constexpr const char* kStopped = "the same command goes on where it stopped";

struct Options : CommonOptions {
  std::string images, database, texts, out, shard = "1/1";
  bool key_order = false, restart = false;
  size_t batch = 0;
  int64_t context_length = 52;  // extract_features.py --context-length

  bool of_images() const { return texts.empty(); }
};

std::unique_ptr<Records> open_records(const Options& options) {
  if (!options.images.empty()) return open_picture_lines(options.images, options.key_order);
  if (!options.database.empty()) return open_picture_database(options.database);
  return open_text_lines(options.texts);
}

// What decides the bytes of the output, in one line.
std::string describe(const Options& options, const tuwen::Session& session, const Records& records) {
  std::string text = "tuwen " + std::string(tuwen_version()) + ", model " + hex(model_identity(options.model)) + ", " +
                     options.precision + " on " + session.info().isa + ", " +
                     (options.of_images() ? "images" : "texts") + " of " + records.version() + ", shard " +
                     options.shard;
  if (options.plan != "exact") text += ", plan " + options.plan;
  if (options.key_order) text += ", key order";
  if (!options.of_images()) text += ", context length " + std::to_string(options.context_length);
  for (const std::string* list : {&options.calibrate_images, &options.calibrate_texts}) {
    if (list->empty() || *list == "-") continue;
    ContentHasher hasher;
    for (const std::string& line : read_lines(*list, false)) hasher.add_part(line);
    text += ", calibration " + hex(hasher.finish());
  }
  if (!options.calibration_file.empty()) {
    ContentHasher hasher;
    hasher.add_part(MappedInput(options.calibration_file).bytes());
    text += ", calibration " + hex(hasher.finish());
  }
  return text;
}

// The i-th picture as the encoder takes it; errors name its place.
Pixels read_picture(const tuwen::Model& model, const Records& records, size_t i) {
  const std::string file = records.read(i);
  try {
    return pixels_of(model, file);
  } catch (const Failure& failure) {
    throw Failure(records.place(i) + ": " + failure.what());
  }
}

void run(const Options& options) {
  check_feature_path("--out", options.out);
  const auto shard = parse_shard(options.shard);
  if (options.key_order && options.images.empty()) throw UsageError("--key-order: is for --images");
  const auto records = open_records(options);
  const auto [begin, end] = part_of(shard, records->size());

  catch_interrupts();
  const tuwen::Model model = open_model(options);
  tuwen::Session session = open_session(model, options);
  FeatureWriter::Job job{options.out, options.of_images() ? "image_id" : "text_id", {}, 0, {}, options.restart};
  for (size_t i = begin; i < end; ++i) job.ids.push_back(records->id(i));
  const auto columns = static_cast<size_t>(model.info().embedding_size);
  job.columns = columns;
  job.description = describe(options, session, *records);
  FeatureWriter writer(std::move(job));

  const size_t first = begin + writer.done();
  const size_t batch = options.batch != 0 ? options.batch : options.of_images() ? 32 : 256;
  Progress progress(end - first, options.of_images() ? "images" : "texts", options.quiet);
  const auto write = [&](size_t, const tuwen::Matrix& rows) { writer.add(rows.data); };
  if (options.of_images()) {
    auto source = items_ahead<Pixels>(first, end, session.info().threads);
    source.make = [&](size_t i) { return read_picture(model, *records, i); };
    ReadAhead<Pixels> pictures(std::move(source));
    const auto compute = [&](size_t, const std::vector<Pixels>& some) {
      progress.advance(some.size());
      return encode_pixels(session, some, columns);
    };
    run_pipeline<tuwen::Matrix>(pictures, batch, kStopped, compute, write);
  } else {
    auto source = items_ahead<std::string>(first, end, 1);
    source.make = [&](size_t i) { return records->read(i); };
    ReadAhead<std::string> texts(std::move(source));
    const auto compute = [&](size_t at, const std::vector<std::string>& some) {
      progress.advance(some.size());
      return encode_evaluation_texts(session, model, some, options.context_length,
                                     [&](size_t i) { return records->place(at + i); });
    };
    run_pipeline<tuwen::Matrix>(texts, batch, kStopped, compute, write);
  }
  writer.finish();
}

}  // namespace

void add_features(CLI::App& program) {
  auto* command = program.add_subcommand("features", "features of a retrieval data set, for retrieve and recall");
  auto options = std::make_shared<Options>();
  add_common(*command, *options);
  add_device(*command, *options);
  const std::vector<const CLI::Option*> inputs = {
      command->add_option("--images", options->images, "pictures: lines 'id TAB base64' (NAME_imgs.tsv)")
          ->check(not_empty()),
      command->add_option("--lmdb", options->database, "instead: the LMDB of them (a folder lmdb/NAME/imgs)")
          ->check(not_empty()),
      command
          ->add_option("--texts", options->texts,
                       "instead: texts: lines {\"text_id\": ..., \"text\": ...} (NAME_texts.jsonl)")
          ->check(not_empty()),
  };
  command
      ->add_option("--out", options->out,
                   "X.jsonl: a line {\"image_id\" or \"text_id\": ..., \"feature\": [...]} each, as Chinese-CLIP's\n"
                   "extract_features.py writes them; X.npy: float32 [items, embedding], and X.ids.npy: int64 [items].\n"
                   "Grows as X.jsonl.partial; after a stop of any kind the same command goes on with it")
      ->required();
  command->add_option("--shard", options->shard,
                      "I/N: only the I-th of N parts, I from 1 to N; put together in order they are the whole");
  command->add_flag("--key-order", options->key_order,
                    "with --images: in the order of an LMDB (ids as text), not of the file");
  command->add_flag("--restart", options->restart, "begin anew where another run stopped");
  command
      ->add_option("--context-length", options->context_length,
                   "tokens that a text is cut to, [CLS] and [SEP] included (default: 52)")
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 20));
  command->add_option("--batch", options->batch, "items encoded at once; changes no number (default: 32 or 256)")
      ->check(CLI::Range(size_t{1}, size_t{65536}));
  command->callback([options, inputs] {
    require_one(inputs);
    run(*options);
  });
}

}  // namespace tuwen_cli
