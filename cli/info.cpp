// tuwen info MODEL: what a model directory holds and what it will need, from its headers alone.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>

#include "cli/command.h"
#include "cli/json_writer.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

void print_json(const std::string& name, const tuwen_model_info& m, const tuwen_system_info& s) {
  JsonWriter json(std::cout);
  json.begin_object();
  json.key("model").value(name);
  json.key("weights_file").value(m.weights_file).key("weights_type").value(m.weights_type);
  json.key("parameters").value(m.parameters).key("weight_bytes").value(m.weight_bytes);
  json.key("embedding_size").value(m.embedding_size);
  json.key("vision").begin_object();
  json.key("image_size").value(m.image_size).key("patch_size").value(m.patch_size);
  json.key("tokens").value(m.image_tokens).key("width").value(m.vision_width);
  json.key("layers").value(m.vision_layers).key("heads").value(m.vision_heads);
  json.key("mlp").value(m.vision_mlp).key("activation").value(m.vision_activation).end_object();
  json.key("text").begin_object();
  json.key("vocabulary").value(m.vocabulary_size).key("max_tokens").value(m.max_text_tokens);
  json.key("width").value(m.text_width).key("layers").value(m.text_layers);
  json.key("heads").value(m.text_heads).key("mlp").value(m.text_mlp);
  json.key("activation").value(m.text_activation).end_object();
  json.key("isa").value(s.isa).key("cpu").value(s.cpu).key("cpu_features").value(s.features);
  json.key("cpus").value(s.cpus).key("decoders").value(s.decoders);
  json.key("version").value(tuwen_version()).key("compiler").value(s.compiler);
  json.end_object();
  std::cout << "\n";
}

void print_text(const std::string& name, const tuwen_model_info& m, const tuwen_system_info& s) {
  constexpr double kMillion = 1e6, kMebibyte = 1024.0 * 1024.0;
  const auto line = [](const char* what) -> std::ostream& {
    char label[16];
    std::snprintf(label, sizeof label, "%-12s", what);
    return std::cout << label;
  };
  const auto fixed = [](double value, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return std::string(text);
  };
  line("model") << one_line(name) << "\n";
  line("weights") << one_line(m.weights_file) << ", " << m.weights_type << ", "
                  << fixed(static_cast<double>(m.parameters) / kMillion, 1) << " M parameters\n";
  line("embedding") << m.embedding_size << " numbers\n";
  line("image") << m.image_size << "x" << m.image_size << " pixels, patches of " << m.patch_size << ", "
                << m.image_tokens << " tokens; " << m.vision_layers << " layers of width " << m.vision_width << ", "
                << m.vision_heads << " heads, MLP " << m.vision_mlp << ", " << m.vision_activation << "\n";
  line("text") << m.vocabulary_size << " vocabulary entries, up to " << m.max_text_tokens << " tokens; "
               << m.text_layers << " layers of width " << m.text_width << ", " << m.text_heads << " heads, MLP "
               << m.text_mlp << ", " << m.text_activation << "\n";
  line("memory") << fixed(static_cast<double>(m.weight_bytes) / kMebibyte, 0) << " MiB of packed weights\n";
  line("machine") << s.cpu << ", " << s.cpus << " CPUs, kernels " << s.isa << "\n";
  line("library") << "tuwen " << tuwen_version() << ", " << s.compiler << ", " << s.decoders << "\n";
}

}  // namespace

void add_info(CLI::App& program) {
  auto* command = program.add_subcommand("info", "what a model directory holds and what it will need");
  auto options = std::make_shared<CommonOptions>();
  add_common(*command, *options);
  add_json(*command, *options);
  command->callback([options] {
    const tuwen_model_info model = tuwen::Model::inspect(options->model);
    (options->json ? print_json : print_text)(options->model, model, tuwen::system_info());
  });
}

}  // namespace tuwen_cli
