// tuwen search INDEX TEXT: the pictures of an index that are nearest to a text, a picture, or both.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <future>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/clustered_index.h"
#include "cli/command.h"
#include "cli/html_page.h"
#include "cli/images.h"
#include "cli/index_file.h"
#include "cli/index_journal.h"
#include "cli/json_writer.h"
#include "cli/model_identity.h"
#include "cli/nearest.h"
#include "cli/output_file.h"
#include "cli/search_index.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

struct Options : CommonOptions {
  std::string index, text, image, html;
  size_t top = 10;
  size_t probes = kDefaultProbes;
  bool zero = false, approximate = false;
};

// What was found, and of what.
struct Found {
  IndexOrigin origin;
  size_t pictures;  // searched, or known not to be near
  std::vector<FoundMatch> matches;
};

// The normalised sum where there are two: either counts as much.
std::vector<float> encode_query(tuwen::Session& session, const Options& options, size_t dimension) {
  std::vector<float> query(dimension);
  const auto add = [&](const tuwen::Matrix& one) {
    for (size_t i = 0; i < dimension; ++i) query[i] += one.data[i];
  };
  if (!options.text.empty()) add(encode_texts(session, {options.text}, 0, 1));
  if (!options.image.empty()) add(session.encode_image_files(std::span(&options.image, 1)));
  const bool both = !options.text.empty() && !options.image.empty();
  if (both && std::any_of(query.begin(), query.end(), [](float v) { return v != 0; })) normalise(query);
  return query;
}

void check_model(const Options& options, const IndexOrigin& origin, const ContentHash& found) {
  if (found == origin.model) return;
  throw Failure(options.index + ": model: expected the one that it was made with (" + hex(origin.model) + ", " +
                origin.model_name + "), found " + hex(found) + " (" + options.model +
                "); vectors of different models cannot be compared");
}

std::string place_of(const IndexOrigin& origin, const FoundMatch& match) {
  return (origin.root == "/" ? "" : origin.root) + "/" + match.picture.path;
}

void write_html(const Options& options, const Found& found) {
  SearchPage page;
  page.text = options.text;
  if (!options.image.empty()) page.image = std::filesystem::absolute(options.image).lexically_normal().string();
  page.searched = found.pictures;
  for (const FoundMatch& match : found.matches) {
    page.pictures.push_back({place_of(found.origin, match), match.picture.path, match.score});
  }
  OutputFile file(options.html);
  file.write(html_page(page));
  file.commit();
}

void print_json(const Options& options, const Found& found) {
  JsonWriter json(std::cout);
  json.begin_object().key("index").value(options.index).key("model").value(options.model);
  if (!options.text.empty()) json.key("text").value(options.text);
  if (!options.image.empty()) json.key("image").value(options.image);
  json.key("pictures").value(found.pictures).key("results").begin_array();
  for (const FoundMatch& match : found.matches) {
    const std::string path = place_of(found.origin, match);
    json.begin_object().key("path").value(path).key("url").value(file_url(path));
    json.key("score").value(match.score).end_object();
  }
  json.end_array().end_object();
  std::cout << "\n";
}

void print_text(const Options& options, const Found& found) {
  for (const FoundMatch& match : found.matches) {
    const std::string path = place_of(found.origin, match);
    if (options.zero) {
      std::cout << path << '\0';
      continue;
    }
    char score[32];
    std::snprintf(score, sizeof score, "%8.4f  ", static_cast<double>(match.score));
    std::cout << score << one_line(path) << "\n";
  }
}

void run(Options& options) {
  if (options.text.empty() && options.image.empty()) throw UsageError("a text or --image is needed to search for");
  if (options.json && options.zero) throw UsageError("--json and -0 exclude each other");
  if (!std::filesystem::exists(options.index) && has_journal(options.index)) {
    throw Failure(options.index + ": not finished: the same tuwen index command goes on from where it was");
  }
  std::optional<IndexFile> whole;
  std::optional<ClusteredIndex> clustered;
  if (options.approximate) {
    clustered.emplace(options.index);
  } else {
    whole.emplace(options.index);
  }
  Found found;
  found.origin = clustered ? clustered->origin() : whole->content().origin;
  found.pictures = clustered ? clustered->pictures() : whole->content().pictures.size();
  if (options.model.empty()) options.model = found.origin.model_name;
  options.precision = found.origin.precision;

  auto identity = std::async(std::launch::async, [&] { return model_identity(options.model); });
  const tuwen::Model model = open_model(options);
  check_model(options, found.origin, identity.get());
  tuwen::Session session = open_session(model, options);
  const float scale = model.info().logit_scale;
  const std::vector<float> query = encode_query(session, options, found.origin.dimension);
  found.matches = clustered ? search_approximately(session, scale, *clustered, query, options.top, options.probes)
                            : search_exactly(session, scale, *whole, query, options.top);
  if (!options.html.empty()) write_html(options, found);
  if (options.json) {
    print_json(options, found);
  } else {
    print_text(options, found);
  }
}

}  // namespace

void add_search(CLI::App& program) {
  auto* command = program.add_subcommand("search", "pictures of an index that are nearest to a text or a picture");
  auto options = std::make_shared<Options>();
  command->add_option("INDEX", options->index, "what tuwen index has made")->required()->check(not_empty());
  command->add_option("TEXT", options->text, "what to look for, such as 海边的日落");
  command->add_option("--image", options->image, "a picture to look for; with a text, both count alike")
      ->check(not_empty());
  command->add_option("--top", options->top, "how many pictures to print (default: 10)")
      ->check(CLI::Range(size_t{1}, size_t{1} << 31));
  auto* approximate = command->add_flag("--approximate", options->approximate,
                                        "look only where the nearest pictures are likely to be, which takes what\n"
                                        "tuwen index --approximate has made; for millions of pictures");
  command
      ->add_option("--probes", options->probes,
                   "into how many of the clusters to look (default: 64). More find more and take longer")
      ->check(CLI::Range(size_t{1}, size_t{1} << 31))
      ->needs(approximate);
  command->add_option("--html", options->html, "also write a page that shows them")->check(not_empty());
  add_model_option(*command, "--model", options->model,
                   "model directory (default: where it was when the index was made). Any other model is refused");
  command->add_flag("-0,--null", options->zero,
                    "paths alone, byte for byte, each ended by a zero byte, as for xargs -0");
  add_runtime(*command, *options);
  add_device(*command, *options);
  add_json(*command, *options);
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
