// tuwen index DIR --model MODEL --out INDEX: the pictures below a folder, made ready for tuwen search.
#include <filesystem>
#include <future>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/cluster_build.h"
#include "cli/cluster_file.h"
#include "cli/command.h"
#include "cli/index_build.h"
#include "cli/interrupt.h"
#include "cli/json_writer.h"
#include "cli/model_identity.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

struct Options : CommonOptions {
  std::string folder, out;
  bool approximate = false;
};

std::string real_path(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  if (error) throw Failure(path + ": cannot be opened: " + error.message());
  return real.string();
}

void print_json(const Options& options, const IndexOrigin& origin, const IndexReport& report,
                const std::optional<ClusterReport>& clusters) {
  JsonWriter json(std::cout);
  json.begin_object();
  json.key("index").value(options.out).key("root").value(origin.root).key("model").value(origin.model_name);
  json.key("model_hash").value(hex(origin.model)).key("precision").value(origin.precision);
  json.key("pictures").value(report.pictures).key("vectors").value(report.vectors);
  json.key("encoded").value(report.encoded).key("unchanged").value(report.unchanged);
  json.key("recognised").value(report.recognised).key("removed").value(report.removed);
  if (clusters) json.key("clusters").value(clusters->clusters).key("clustered").value(clusters->assigned);
  json.key("skipped").begin_array();
  for (const SkippedPath& skipped : report.skipped) {
    json.begin_object().key("path").value(skipped.path).key("reason").value(skipped.reason).end_object();
  }
  json.end_array().end_object();
  std::cout << "\n";
}

void print_text(const Options& options, const IndexReport& report, const std::optional<ClusterReport>& clusters) {
  for (const SkippedPath& skipped : report.skipped) {
    std::cerr << "tuwen: skipped " << one_line(skipped.path) << ": " << one_line(skipped.reason) << "\n";
  }
  if (options.quiet) return;
  std::cout << one_line(options.out) << ": " << report.pictures << " pictures (" << report.encoded << " encoded, "
            << report.recognised << " recognised, " << report.unchanged << " unchanged), " << report.removed
            << " removed, " << report.skipped.size() << " skipped\n";
  if (!clusters) return;
  std::cout << one_line(clusters_path(options.out)) << ": " << clusters->clusters << " clusters"
            << (clusters->trained ? " computed" : "") << ", " << clusters->assigned << " vectors put into them\n";
}

void run(Options& options) {
  catch_interrupts();
  IndexOrigin origin;
  origin.root = real_path(options.folder);
  origin.model_name = real_path(options.model);
  origin.precision = options.precision;
  const PictureWalk walk = walk_pictures(origin.root);
  IndexJournal journal(options.out);
  std::optional<IndexFile> before;
  if (std::filesystem::exists(options.out)) before.emplace(options.out);

  auto identity = std::async(std::launch::async, [&] { return model_identity(options.model); });
  const tuwen::Model model = open_model(options);
  tuwen::Session session = open_session(model, options);
  origin.dimension = static_cast<size_t>(model.info().embedding_size);
  origin.model = identity.get();

  IndexBuild build(options.out, origin, before ? &*before : nullptr, journal, walk);
  build.update(session, model, session.info().threads, options.quiet);
  build.save();
  const IndexReport& report = build.report();
  if (report.interrupted) {
    throw Failure("interrupted; " + options.out + " has " + std::to_string(report.pictures) +
                  " pictures, and the same command goes on from there");
  }
  std::optional<ClusterReport> clusters;
  if (options.approximate) {
    IndexJournal lock(options.out);  // build.save() has given it up
    clusters = update_clusters(options.out, before ? &*before : nullptr, session, options.quiet);
    lock.remove();
  }
  if (options.json) {
    print_json(options, origin, report, clusters);
  } else {
    print_text(options, report, clusters);
  }
}

}  // namespace

void add_index(CLI::App& program) {
  auto* command = program.add_subcommand("index", "make the pictures below a folder ready for search");
  auto options = std::make_shared<Options>();
  command->add_option("DIR", options->folder, "folder of pictures: JPEG, PNG, WebP, BMP; at any depth")
      ->required()
      ->check(not_empty());
  add_model_option(*command, "--model", options->model,
                   "model directory, as Hugging Face lays it out; `demo` is the one that comes with tuwen")
      ->required();
  command
      ->add_option("--out", options->out,
                   "the index. One that is there is brought up to date: what is in it is not computed again,\n"
                   "whatever it is called now. An interrupted run goes on where it was")
      ->required()
      ->check(not_empty());
  command->add_flag("--approximate", options->approximate,
                    "also make OUT.clusters, or bring it up to date, for tuwen search --approximate");
  add_precision(*command, *options);
  add_runtime(*command, *options);
  add_device(*command, *options);
  add_json(*command, *options);
  command->callback([options] { run(*options); });
}

}  // namespace tuwen_cli
