// tuwen embed MODEL --image FILE... --out X.npy: embeddings of pictures or texts into a file.
#include <algorithm>
#include <iostream>
#include <memory>

#include "cli/command.h"
#include "cli/embedding_file.h"
#include "cli/images.h"
#include "cli/interrupt.h"
#include "cli/lines.h"
#include "cli/pictures_ahead.h"
#include "cli/pipeline.h"
#include "cli/progress.h"

namespace tuwen_cli {
namespace {

constexpr const char* kLeftBehind = "nothing was written";

struct Options : CommonOptions {
  std::vector<std::string> images, texts;
  std::string images_list, texts_list, out;
  bool raw = false, patches = false;
  size_t batch = 16;
};

// The image tower's last hidden states, the name of which depends on its depth; one row a picture.
tuwen::Matrix patches_of(tuwen::Session& session, const tuwen_model_info& info, const std::vector<Pixels>& pictures) {
  const std::string last_layer = "vision.layers." + std::to_string(info.vision_layers - 1) + ".output";
  tuwen::Capture capture(last_layer);
  auto how = tuwen::make<tuwen_encode_options>();
  how.capture = capture.get();
  encode_pixels(session, pictures, static_cast<size_t>(info.embedding_size), &how);
  const tuwen_captured states = capture[last_layer];
  tuwen::Matrix rows(pictures.size(), static_cast<size_t>(states.rows * states.columns) / pictures.size());
  std::copy_n(states.data, rows.data.size(), rows.data.begin());
  return rows;
}

void run(Options& options) {
  check_embedding_path(options.out);
  const bool of_images = !options.images.empty() || !options.images_list.empty();
  if (options.patches && !of_images) throw UsageError("--patches: only pictures have patches");
  if (!options.images_list.empty()) options.images = read_lines(options.images_list, true);
  if (!options.texts_list.empty()) options.texts = read_lines(options.texts_list, false);
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

  Progress progress(items.size(), of_images ? "images" : "texts", options.quiet);
  const auto write = [&](size_t first, const tuwen::Matrix& rows) {
    for (size_t r = 0; r < rows.rows; ++r) file->add(items[first + r], rows.row(r));
  };
  if (of_images) {
    ReadAhead<Pixels> pictures = pictures_ahead(model, session, items);
    const auto compute = [&](size_t, const std::vector<Pixels>& batch) {
      progress.advance(batch.size());
      return options.patches ? patches_of(session, info, batch) : encode_pixels(session, batch, shape[0], &how);
    };
    run_pipeline<tuwen::Matrix>(pictures, options.batch, kLeftBehind, compute, write);
  } else {
    for (size_t begin = 0; begin < items.size(); begin += options.batch) {
      check_interrupt(kLeftBehind);
      const size_t end = std::min(items.size(), begin + options.batch);
      write(begin, encode_texts(session, items, begin, end, &how));
      progress.advance(end - begin);
    }
  }
  file->finish();
}

}  // namespace

void add_embed(CLI::App& program) {
  auto* command = program.add_subcommand("embed", "embeddings of pictures or texts into a file");
  auto options = std::make_shared<Options>();
  add_common(*command, *options);
  add_device(*command, *options);
  const std::vector<const CLI::Option*> inputs = {
      add_list(*command, "--image", options->images, "pictures: JPEG, PNG, WebP, BMP")->check(not_empty()),
      command
          ->add_option("--images", options->images_list, "instead: a file of paths, one a line; - for standard input")
          ->check(not_empty()),
      add_list(*command, "--text", options->texts, "instead: texts"),
      command->add_option("--texts", options->texts_list, "instead: a file of texts, one a line; - for standard input")
          ->check(not_empty()),
  };
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
  command->callback([options, inputs] {
    require_one(inputs);
    run(*options);
  });
}

}  // namespace tuwen_cli
