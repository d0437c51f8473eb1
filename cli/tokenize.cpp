// tuwen tokenize MODEL --text TEXT...: token ids as the text tower gets them.
#include <iostream>
#include <memory>

#include "cli/command.h"
#include "cli/json_writer.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

struct Options : CommonOptions {
  std::vector<std::string> texts;
};

std::vector<std::string> spellings(const tuwen::Processor& processor, std::span<const int32_t> ids) {
  std::vector<std::string> tokens;
  for (const int32_t id : ids) tokens.emplace_back(processor.token(id));
  return tokens;
}

void run(const Options& options) {
  const tuwen::Processor processor = tuwen::Processor::load(options.model);
  auto how = tuwen::make<tuwen_tokenize_options>();
  how.threads = options.threads;
  const tuwen::Tokens tokens = processor.tokenize(options.texts, &how);

  if (options.json) {
    JsonWriter json(std::cout);
    json.begin_object();
    json.key("model").value(options.model).key("texts").array(options.texts);
    json.key("input_ids").begin_array();
    for (size_t r = 0; r < tokens.rows(); ++r) json.array(tokens.ids(r));
    json.end_array().key("tokens").begin_array();
    for (size_t r = 0; r < tokens.rows(); ++r) json.array(spellings(processor, tokens.ids(r)));
    json.end_array().key("offsets").begin_array();
    for (size_t r = 0; r < tokens.rows(); ++r) {
      const auto offsets = tokens.offsets(r);
      json.begin_array();
      for (size_t i = 0; i < offsets.size(); i += 2) json.array(offsets.subspan(i, 2));
      json.end_array();
    }
    json.end_array().end_object();
    std::cout << "\n";
    return;
  }
  for (size_t r = 0; r < tokens.rows(); ++r) {
    std::cout << one_line(options.texts[r]) << "\n  ids   ";
    for (const int32_t id : tokens.ids(r)) std::cout << " " << id;
    std::cout << "\n  tokens";
    for (const std::string& token : spellings(processor, tokens.ids(r))) std::cout << " " << one_line(token);
    std::cout << "\n";
  }
}

}  // namespace

void add_tokenize(CLI::App& program) {
  auto* command = program.add_subcommand("tokenize", "token ids of texts, as the text tower gets them");
  auto options = std::make_shared<Options>();
  add_common(*command, *options);
  add_json(*command, *options);
  add_list(*command, "--text", options->texts, "texts")->required();
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
