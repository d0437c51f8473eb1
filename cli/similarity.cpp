// tuwen similarity MODEL --image FILE... --text TEXT...: logits and probabilities of each text for each picture.
#include <cstdio>
#include <iostream>
#include <memory>

#include "cli/command.h"
#include "cli/images.h"
#include "cli/json_writer.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

struct Options : CommonOptions {
  std::vector<std::string> images, texts;
};

void write_rows(JsonWriter& json, const tuwen::Matrix& matrix) {
  json.begin_array();
  for (size_t r = 0; r < matrix.rows; ++r) json.array(matrix.row(r));
  json.end_array();
}

void run(const Options& options) {
  const tuwen::Model model = open_model(options);
  tuwen::Session session = open_session(model, options);
  const tuwen::Matrix texts = encode_text_lines(session, options.texts, options.quiet);
  const tuwen::Matrix images = encode_image_files(model, session, options.images, options.quiet);
  const tuwen::Matrix logits = session.logits(images, texts);
  const tuwen::Matrix probabilities = tuwen::softmax(logits);

  if (options.json) {
    JsonWriter json(std::cout);
    json.begin_object();
    json.key("model").value(options.model);
    json.key("images").array(options.images).key("texts").array(options.texts);
    write_rows(json.key("logits_per_image"), logits);
    write_rows(json.key("probs"), probabilities);
    json.end_object();
    std::cout << "\n";
    return;
  }
  for (size_t i = 0; i < images.rows; ++i) {
    std::cout << one_line(options.images[i]) << "\n";
    for (size_t t = 0; t < texts.rows; ++t) {
      char percent[32];
      std::snprintf(percent, sizeof percent, "%10.4f%%  ", 100.0 * static_cast<double>(probabilities(i, t)));
      std::cout << percent << one_line(options.texts[t]) << "\n";
    }
  }
}

}  // namespace

void add_similarity(CLI::App& program) {
  auto* command = program.add_subcommand("similarity", "probabilities of texts for pictures");
  auto options = std::make_shared<Options>();
  add_common(*command, *options);
  add_device(*command, *options);
  add_json(*command, *options);
  add_list(*command, "--image", options->images, "pictures: JPEG, PNG, WebP, BMP")->required()->check(not_empty());
  add_list(*command, "--text", options->texts, "texts, each against each picture")->required();
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
