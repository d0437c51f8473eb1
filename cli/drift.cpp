// tuwen drift MODEL: how far the model in bf16, int8 or FP8 is from itself in f32, layer by layer and at the end.
#include "cli/drift.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>

#include "cli/difference.h"
#include "cli/images.h"
#include "cli/interrupt.h"
#include "cli/json_writer.h"
#include "cli/lines.h"
#include "cli/progress.h"
#include "cli/samples.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

constexpr size_t kReferenceFloats = size_t{1} << 27;  // what is kept of the f32 model at a time: 512 MiB

// One tower's residual stream: after the embeddings, after each half of each layer; and how to capture just that.
struct Stream {
  std::vector<std::string> names;
  std::string prefixes;

  Stream(const std::string& tower, const std::string& first, int64_t layers)
      : names{first}, prefixes(first + " " + tower + ".layers.*.attention " + tower + ".layers.*.output") {
    for (int64_t i = 0; i < layers; ++i) {
      for (const char* half : {".attention", ".output"}) names.push_back(tower + ".layers." + std::to_string(i) + half);
    }
  }
};

// The pictures, or the texts: whose they are, and which tower takes them.
struct Inputs {
  const char* kind;  // "image", "text"
  Stream stream;
  std::vector<std::string> items;
  bool built_in;
};

// What one precision gives for the inputs of one kind, against f32.
struct Outcome {
  std::vector<Difference> layers;
  Difference embedding;
  std::vector<double> cosines;  // [items] of the embeddings
  tuwen::Matrix embeddings;
};

struct Result {
  std::string precision;
  Outcome kinds[2];  // as Inputs
  tuwen::Matrix probabilities;
  double largest_change = 0, mean_change = 0;
  size_t first_changed = 0;  // pictures whose most probable text is another one
};

using Streams = std::vector<std::vector<float>>;  // of one item: a matrix, flat, for each name

class Drift {
 public:
  explicit Drift(const DriftOptions& options)
      : options_(options), inputs_{pictures(options), texts(options)}, calibration_(read_calibration(options)) {
    results_.push_back({.precision = "f32", .kinds = {}, .probabilities = {}});
    for (const std::string& p : options.precisions) {
      const auto same = [&](const Result& r) { return r.precision == p; };
      if (std::none_of(results_.begin(), results_.end(), same))
        results_.push_back({.precision = p, .kinds = {}, .probabilities = {}});
    }
  }

  // As many inputs as the memory for the f32 model's streams allows go through one model after the other, then the
  // next.
  void run() {
    const size_t all = inputs_[0].items.size() + inputs_[1].items.size();
    Progress progress(all * results_.size(), "encodings", options_.quiet);
    for (size_t begin = 0, end = all; begin < all; begin = end, end = all) {
      std::vector<Streams> exact;
      for (Result& result : results_) end = run_model(result, begin, end, exact, progress);
    }
    for (Result& result : results_) compare_probabilities(result);
  }

  const Inputs* inputs() const { return inputs_; }
  std::span<const Result> results() const { return std::span(results_).subspan(1); }

 private:
  static Inputs pictures(const DriftOptions& options) {
    const tuwen_model_info info = tuwen::Model::inspect(options.model);
    Inputs in{"image", Stream("vision", "vision.pre_layernorm", info.vision_layers), options.images, false};
    if (!options.images_list.empty()) {
      in.items = read_lines(options.images_list, true);
      if (in.items.empty()) throw Failure(options.images_list + ": no pictures in it");
    }
    in.built_in = in.items.empty();
    if (in.built_in) {
      for (size_t i = 0; i < kSamplePictures; ++i) in.items.push_back("picture " + std::to_string(i + 1));
    }
    return in;
  }
  static Inputs texts(const DriftOptions& options) {
    const tuwen_model_info info = tuwen::Model::inspect(options.model);
    Inputs in{"text", Stream("text", "text.embeddings", info.text_layers), options.texts, false};
    if (!options.texts_list.empty()) {
      in.items = read_lines(options.texts_list, false);
      if (in.items.empty()) throw Failure(options.texts_list + ": no texts in it");
    }
    in.built_in = in.items.empty();
    if (in.built_in) in.items = sample_texts();
    return in;
  }

  // Items [begin, end), of both kinds in a row, through one model. The f32 model, which comes first, keeps its streams
  // in `exact` and ends early when they get too large; the others compare theirs. Where it ended.
  size_t run_model(Result& result, size_t begin, size_t end, std::vector<Streams>& exact, Progress& progress) {
    const bool is_exact = &result == results_.data();
    const tuwen::Model model = open_model(options_.model, result.precision, "exact", calibration_);
    tuwen::Session session = open_session(model, options_);
    size_t kept = 0;
    for (size_t i = begin; i < end; ++i) {
      check_interrupt();
      const size_t kind = i < inputs_[0].items.size() ? 0 : 1;
      const Inputs& in = inputs_[kind];
      tuwen::Capture capture(in.stream.prefixes);
      const tuwen::Matrix embedding = encode(session, kind, i - kind * inputs_[0].items.size(), capture);
      Outcome& outcome = result.kinds[kind];
      append(outcome.embeddings, embedding);
      if (is_exact) {
        exact.push_back(streams_of(capture, in.stream));
        for (const auto& values : exact.back()) kept += values.size();
        if (kept > kReferenceFloats) end = i + 1;
      } else {
        compare(outcome, capture, in.stream, exact[i - begin]);
        const auto from = results_[0].kinds[kind].embeddings.row(outcome.embeddings.rows - 1);
        outcome.embedding.add(from, embedding.row(0), embedding.columns);
        outcome.cosines.push_back(cosine(from, embedding.row(0)));
      }
      progress.advance(1);
    }
    if (end == inputs_[0].items.size() + inputs_[1].items.size())
      result.probabilities = tuwen::softmax(session.logits(result.kinds[0].embeddings, result.kinds[1].embeddings));
    return end;
  }

  tuwen::Matrix encode(tuwen::Session& session, size_t kind, size_t index, const tuwen::Capture& capture) const {
    const Inputs& in = inputs_[kind];
    auto how = tuwen::make<tuwen_encode_options>();
    how.capture = capture.get();
    how.truncate = kind == 1 && in.built_in ? 1 : 0;
    if (kind == 1) return encode_texts(session, in.items, index, index + 1, &how);
    if (!in.built_in) return session.encode_images(read_images(in.items, index, index + 1), &how);
    const tuwen::Image image = sample_picture(index);
    return session.encode_images({&image, 1}, &how);
  }

  static std::span<const float> values_of(const tuwen_captured& captured) {
    return {captured.data, static_cast<size_t>(captured.rows * captured.columns)};
  }
  static Streams streams_of(const tuwen::Capture& capture, const Stream& stream) {
    Streams all;
    for (const std::string& name : stream.names) {
      const auto values = values_of(capture[name]);
      all.emplace_back(values.begin(), values.end());
    }
    return all;
  }
  static void compare(Outcome& outcome, const tuwen::Capture& capture, const Stream& stream, const Streams& exact) {
    outcome.layers.resize(stream.names.size());
    for (size_t n = 0; n < stream.names.size(); ++n) {
      const tuwen_captured captured = capture[stream.names[n]];
      outcome.layers[n].add(exact[n], values_of(captured), static_cast<size_t>(captured.columns));
    }
  }
  static void append(tuwen::Matrix& all, const tuwen::Matrix& more) {
    all.columns = more.columns;
    all.rows += more.rows;
    all.data.insert(all.data.end(), more.data.begin(), more.data.end());
  }

  void compare_probabilities(Result& result) const {
    const tuwen::Matrix &exact = results_[0].probabilities, &near = result.probabilities;
    for (size_t i = 0; i < exact.data.size(); ++i) {
      const double change = std::fabs(static_cast<double>(near.data[i]) - static_cast<double>(exact.data[i]));
      result.largest_change = std::max(result.largest_change, change);
      result.mean_change += change / static_cast<double>(exact.data.size());
    }
    const auto first = [](std::span<const float> row) {
      return std::max_element(row.begin(), row.end()) - row.begin();
    };
    for (size_t r = 0; r < exact.rows; ++r)
      if (first(exact.row(r)) != first(near.row(r))) ++result.first_changed;
  }

  const DriftOptions& options_;
  Inputs inputs_[2];
  Calibration calibration_;
  std::vector<Result> results_;  // f32 first
};

void write_difference(JsonWriter& json, const Difference& d) {
  json.key("worst_cosine").value(d.worst_cosine()).key("mean_cosine").value(d.mean_cosine());
  json.key("relative_error").value(d.relative_error());
}

void print_json(const DriftOptions& options, const Drift& drift) {
  JsonWriter json(std::cout);
  json.begin_object();
  json.key("model").value(options.model).key("reference").value("f32");
  json.key("images").array(drift.inputs()[0].items).key("texts").array(drift.inputs()[1].items);
  json.key("precisions").begin_array();
  for (const Result& result : drift.results()) {
    json.begin_object().key("precision").value(result.precision);
    for (size_t kind = 0; kind < 2; ++kind) {
      const Inputs& in = drift.inputs()[kind];
      const Outcome& outcome = result.kinds[kind];
      json.key(in.kind).begin_object().key("layers").begin_array();
      for (size_t n = options.ends_only ? outcome.layers.size() : 0; n < outcome.layers.size(); ++n) {
        json.begin_object().key("name").value(in.stream.names[n]);
        write_difference(json, outcome.layers[n]);
        json.end_object();
      }
      json.end_array().key("embedding").begin_object();
      write_difference(json, outcome.embedding);
      json.key("cosines").array(outcome.cosines).end_object().end_object();
    }
    json.key("probabilities").begin_object().key("largest_change").value(result.largest_change);
    json.key("mean_change").value(result.mean_change).key("first_changed").value(result.first_changed);
    json.end_object().end_object();
  }
  json.end_array().end_object();
  std::cout << "\n";
}

void print_cells(const std::string& label, std::span<const Result> results,
                 const std::function<const Difference&(const Result&)>& of) {
  char cell[64];
  std::snprintf(cell, sizeof cell, "%-26s", label.c_str());
  std::cout << cell;
  for (const Result& result : results) {
    const Difference& d = of(result);
    std::snprintf(cell, sizeof cell, "  %9.6f %9.6f %9.6f", d.worst_cosine(), d.mean_cosine(), d.relative_error());
    std::cout << cell;
  }
  std::cout << "\n";
}

void print_text(const DriftOptions& options, const Drift& drift) {
  const auto results = drift.results();
  char cell[64];
  std::cout << one_line(options.model) << " against itself in f32: " << drift.inputs()[0].items.size() << " pictures, "
            << drift.inputs()[1].items.size() << " texts\n";
  std::snprintf(cell, sizeof cell, "%-26s", "");
  std::cout << cell;
  for (const Result& result : results) {
    std::snprintf(cell, sizeof cell, "  %-29s", (result.precision + ": cosine").c_str());
    std::cout << cell;
  }
  std::snprintf(cell, sizeof cell, "\n%-26s", "");
  std::cout << cell;
  for (size_t i = 0; i < results.size(); ++i) {
    std::snprintf(cell, sizeof cell, "  %9s %9s %9s", "worst", "mean", "error");
    std::cout << cell;
  }
  std::cout << "\n";
  for (size_t kind = 0; kind < 2; ++kind) {
    const Inputs& in = drift.inputs()[kind];
    for (size_t n = options.ends_only ? in.stream.names.size() : 0; n < in.stream.names.size(); ++n)
      print_cells(in.stream.names[n], results,
                  [&](const Result& r) -> const Difference& { return r.kinds[kind].layers[n]; });
    print_cells(std::string(in.kind) + " embedding", results,
                [&](const Result& r) -> const Difference& { return r.kinds[kind].embedding; });
  }
  for (const Result& result : results) {
    std::snprintf(cell, sizeof cell, "%.4f%%, mean %.4f%%", 100 * result.largest_change, 100 * result.mean_change);
    std::cout << result.precision << ": largest change of a probability " << cell << "; another first text for "
              << result.first_changed << " of " << result.probabilities.rows << " pictures\n";
  }
}

}  // namespace

void report_drift(const DriftOptions& options) {
  Drift drift(options);
  drift.run();
  options.json ? print_json(options, drift) : print_text(options, drift);
}

void add_drift_inputs(CLI::App& command, DriftOptions& options) {
  auto* image =
      add_list(command, "--image", options.images, "pictures: JPEG, PNG, WebP, BMP (default: a built-in set)");
  image->check(not_empty());
  command.add_option("--images", options.images_list, "instead: a file of paths, one a line; - for standard input")
      ->check(not_empty())
      ->excludes(image);
  auto* text = add_list(command, "--text", options.texts, "texts (default: a built-in set)");
  command.add_option("--texts", options.texts_list, "instead: a file of texts, one a line; - for standard input")
      ->check(not_empty())
      ->excludes(text);
}

void add_drift(CLI::App& program) {
  auto* command = program.add_subcommand("drift", "how far bf16, int8 and fp8 are from f32, by layer and at the end");
  auto options = std::make_shared<DriftOptions>();
  add_model(*command, *options);
  add_device(*command, *options);
  add_calibration(*command, *options);
  add_json(*command, *options);
  command
      ->add_option("--precision", options->precisions,
                   "what to compare with f32, of bf16, int8, fp8, separated by commas (default: bf16,int8)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"bf16", "int8", "fp8"}));
  add_drift_inputs(*command, *options);
  command->callback([options] {
    catch_interrupts();
    report_drift(*options);
  });
}

}  // namespace tuwen_cli
