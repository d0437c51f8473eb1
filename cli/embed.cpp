// tuwen embed MODEL --image FILE... --out X.npy: embeddings of pictures or texts into a file.
#include <algorithm>
#include <iostream>
#include <memory>
#include <span>

#include "cli/command.h"
#include "cli/embedding_file.h"
#include "cli/images.h"
#include "cli/interrupt.h"
#include "cli/lines.h"
#include "cli/progress.h"

namespace tuwen_cli {
namespace {

struct Options : CommonOptions {
  std::vector<std::string> images, texts;
  std::string images_list, texts_list, out;
  bool raw = false, patches = false;
  size_t batch = 16;

  bool of_images() const { return !images.empty() || !images_list.empty(); }
};

// Encodes items [begin, end) and adds them to the file.
using Batch = void (*)(tuwen::Session&, const std::vector<std::string>&, size_t, size_t, const tuwen_encode_options&,
                       EmbeddingFile&);

void add_rows(const tuwen::Matrix& rows, const std::vector<std::string>& names, size_t begin, EmbeddingFile& file) {
  for (size_t r = 0; r < rows.rows; ++r) file.add(names[begin + r], rows.row(r));
}

void embed_images(tuwen::Session& session, const std::vector<std::string>& paths, size_t begin, size_t end,
                  const tuwen_encode_options& how, EmbeddingFile& file) {
  add_rows(session.encode_images(read_images(paths, begin, end), &how), paths, begin, file);
}

void embed_texts(tuwen::Session& session, const std::vector<std::string>& texts, size_t begin, size_t end,
                 const tuwen_encode_options& how, EmbeddingFile& file) {
  add_rows(session.encode_texts(std::span(texts).subspan(begin, end - begin), &how), texts, begin, file);
}

void embed_patches(tuwen::Session& session, const std::vector<std::string>& paths, size_t begin, size_t end,
                   const tuwen_encode_options& how, EmbeddingFile& file) {
  tuwen::Capture capture{"vision.last_hidden_state"};
  tuwen_encode_options with_capture = how;
  with_capture.capture = capture.get();
  session.encode_images(read_images(paths, begin, end), &with_capture);
  const tuwen_tensor states = capture["vision.last_hidden_state"];
  const auto each = static_cast<size_t>(states.shape[1] * states.shape[2]);
  for (size_t i = begin; i < end; ++i) file.add(paths[i], {states.data + (i - begin) * each, each});
}

void run(Options& options) {
  check_embedding_path(options.out);
  if (options.patches && !options.of_images()) throw UsageError("--patches: only pictures have patches");
  if (!options.images_list.empty()) options.images = read_lines(options.images_list, true);
  if (!options.texts_list.empty()) options.texts = read_lines(options.texts_list, false);
  const bool of_images = options.of_images();
  const std::vector<std::string>& items = of_images ? options.images : options.texts;

  catch_interrupts();
  const tuwen::Model model = open_model(options);
  tuwen::Session session = open_session(model, options);
  const tuwen_model_info info = model.info();
  std::vector<size_t> shape{static_cast<size_t>(info.embedding_size)};
  if (options.patches) shape = {static_cast<size_t>(info.image_tokens), static_cast<size_t>(info.vision_width)};
  const auto file = create_embedding_file(options.out, items.size(), shape, of_images ? "image" : "text",
                                          options.patches ? "patches" : "embedding");

  auto how = tuwen::make<tuwen_encode_options>();
  how.raw = options.raw ? 1 : 0;
  const Batch encode = options.patches ? embed_patches : of_images ? embed_images : embed_texts;
  Progress progress(items.size(), of_images ? "images" : "texts", options.quiet);
  for (size_t begin = 0; begin < items.size(); begin += options.batch) {
    check_interrupt();
    const size_t end = std::min(items.size(), begin + options.batch);
    encode(session, items, begin, end, how, *file);
    progress.advance(end - begin);
  }
  file->finish();
}

}  // namespace

void add_embed(CLI::App& program) {
  auto* command = program.add_subcommand("embed", "embeddings of pictures or texts into a file");
  auto options = std::make_shared<Options>();
  add_common(*command, *options);
  auto* input = command->add_option_group("input", "one of these")->require_option(1);
  input->add_option("--image", options->images, "pictures: JPEG, PNG, WebP, BMP")->expected(1, -1);
  input->add_option("--images", options->images_list, "a file of paths, one a line; - for standard input");
  input->add_option("--text", options->texts, "texts")->expected(1, -1);
  input->add_option("--texts", options->texts_list, "a file of texts, one a line; - for standard input");
  command
      ->add_option("--out", options->out,
                   "X.npy: a float32 array [items, embedding]; X.jsonl: {\"image\" or \"text\": ..., \"embedding\": "
                   "[...]} a line.\nAppears whole or not at all")
      ->required();
  command->add_flag("--raw", options->raw, "not divided by their length (get_image_features, get_text_features)");
  command->add_flag("--patches", options->patches,
                    "the image tower's last hidden states instead: class token, then patches row by row; never "
                    "normalised.\n.npy: [items, tokens, width]; .jsonl: \"patches\"");
  command->add_option("--batch", options->batch, "items encoded at once; changes no number (default: 16)")
      ->check(CLI::Range(size_t{1}, size_t{65536}));
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
