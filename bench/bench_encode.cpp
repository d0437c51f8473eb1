#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>

#include "bench/attribution.h"
#include "bench/checkpoint_hash.h"
#include "bench/command.h"
#include "bench/inputs.h"
#include "bench/model_flops.h"
#include "bench/npy.h"
#include "tuwen/tuwen.hpp"

namespace tw::bench {
namespace {

struct Options {
  Common common;
  std::string model;
  std::string tower = "image,text", batch = "1", tokens = "12,52", threads = "0", isa, precision = "f32",
              plan = "exact", save;
  std::string device = "cpu";
  std::string profile, checkpoint;  // profile: empty, "ops" or "layers"
};

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> items;
  std::stringstream stream(list);
  for (std::string item; std::getline(stream, item, ',');) items.push_back(item);
  return items;
}

// How long the texts of a batch are: all alike, or mixed ("8..32").
struct Lengths {
  int least = 0, most = 0;
  std::string name() const {
    return least == most ? std::to_string(least) : std::to_string(least) + ".." + std::to_string(most);
  }
};

std::vector<Lengths> parse_lengths(const std::string& list) {
  std::vector<Lengths> all;
  for (const std::string& item : split(list)) {
    const size_t dots = item.find("..");
    const std::vector<int> values = parse_sweep(dots == std::string::npos ? item : item.substr(0, dots));
    if (dots == std::string::npos) {
      for (const int v : values) all.push_back({v, v});
    } else {
      all.push_back({values.front(), parse_sweep(item.substr(dots + 2)).front()});
    }
    if (all.back().least < 1 || all.back().least > all.back().most)
      throw CLI::ValidationError("--tokens: '" + item + "' is no length, range or mix such as 8..32");
  }
  return all;
}

constexpr const char* kPrecisions[] = {"f32", "bf16", "f16", "int8", "fp8"};

// A batch of inputs ready to encode, nothing but the encoder left to run.
struct Work {
  bool image = false;
  size_t batch = 0;
  std::string name;
  Record tokens;                        // of one item: a number, or what name() says of a mix
  Flops flops[std::size(kPrecisions)];  // of the whole batch, in the order of kPrecisions
  std::vector<float> pixels;
  std::vector<int32_t> ids;
  std::vector<int64_t> row_begin;

  const Flops& flops_in(const std::string& precision) const {
    return flops[std::find(std::begin(kPrecisions), std::end(kPrecisions), precision) - std::begin(kPrecisions)];
  }

  void encode(tuwen::Session& session, size_t first, std::span<float> out, size_t width,
              const tuwen_encode_options* options = nullptr) const {
    const size_t count = out.size() / width;
    if (image) {
      const size_t each = pixels.size() / batch;
      session.encode_pixels(std::span(pixels).subspan(first * each, count * each), out, options);
    } else {
      const std::span rows = std::span(row_begin).subspan(first, count + 1);
      const auto begin = static_cast<size_t>(rows.front()), end = static_cast<size_t>(rows.back());
      if (first == 0) return session.encode_tokens(std::span(ids).first(end), rows, out, options);
      std::vector<int64_t> rebased(rows.begin(), rows.end());
      for (int64_t& r : rebased) r -= rows.front();
      session.encode_tokens(std::span(ids).subspan(begin, end - begin), rebased, out, options);
    }
  }
};

Work make_work(bool image, size_t batch, Lengths lengths, const tuwen::Model& model) {
  const tuwen_model_info info = model.info();
  Work work;
  work.image = image;
  work.batch = batch;
  work.name = (image ? "image-" : "text-") + std::to_string(batch) + (image ? "" : "x" + lengths.name());
  work.tokens = lengths.name();
  if (image || lengths.least == lengths.most) work.tokens = image ? info.image_tokens : lengths.least;
  work.row_begin = {0};
  // 64 mixed texts of 8 to 32 tokens have 1,249: the batch that docs/performance.md compares other engines on.
  std::mt19937 generator(177);
  for (size_t i = 0; i < batch; ++i) {
    const auto seed = static_cast<uint32_t>(i);
    if (image) {
      const std::vector<uint8_t> rgb = photograph(info.image_size, info.image_size, seed);
      std::vector<tuwen::Image> one;
      one.push_back(tuwen::Image::from_pixels({rgb.data(), info.image_size, info.image_size, 3 * info.image_size, 3},
                                              rgb.size()));
      const tuwen::Matrix values = model.processor().preprocess(one);
      work.pixels.insert(work.pixels.end(), values.data.begin(), values.data.end());
      for (size_t p = 0; p < std::size(kPrecisions); ++p) work.flops[p] += image_flops(info, kPrecisions[p]);
    } else {
      const auto spread = static_cast<uint32_t>(lengths.most - lengths.least + 1);
      const int64_t tokens = lengths.least + static_cast<int64_t>(generator() % spread);
      const std::vector<int32_t> row = token_row(tokens, info.vocabulary_size, seed);
      for (size_t p = 0; p < std::size(kPrecisions); ++p) work.flops[p] += text_flops(info, tokens, kPrecisions[p]);
      work.ids.insert(work.ids.end(), row.begin(), row.end());
      work.row_begin.push_back(static_cast<int64_t>(work.ids.size()));
    }
  }
  return work;
}

// What another engine needs to do the same, and what it should find.
void save(const std::filesystem::path& folder, const Work& work, std::span<const float> embeddings, int64_t side) {
  const std::filesystem::path stem = folder / work.name;
  const auto path = [&](const char* what) { return stem.string() + "." + what + ".npy"; };
  const auto size = static_cast<size_t>(side);
  if (work.image) {
    save_npy(path("pixels"), {work.batch, 3, size, size}, work.pixels);
  } else {
    save_npy(path("ids"), {work.ids.size()}, work.ids);
    save_npy(path("row_begin"), {work.row_begin.size()}, work.row_begin);
  }
  save_npy(path("embeddings"), {work.batch, embeddings.size() / work.batch}, embeddings);
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

// Each item alone must give the bits it has in the batch; where a device's library computes products, nearly so.
void verify_batch(const Work& work, tuwen::Session& session, std::span<const float> batch, size_t width) {
  constexpr double kNearly = 0.999;
  const bool by_library = std::string_view(session.info().products).starts_with("cuBLASLt");
  std::vector<float> alone(width);
  for (size_t i = 0; i < work.batch; i += std::max<size_t>(1, work.batch - 1)) {
    work.encode(session, i, alone, width);
    const std::span<const float> there = batch.subspan(i * width, width);
    if (by_library ? !(cosine(alone, there) > kNearly)
                   : std::memcmp(alone.data(), there.data(), width * sizeof(float)) != 0)
      throw std::runtime_error("item " + std::to_string(i) + " alone differs from itself in a batch");
  }
}

// The first item in f32 by another kernel table: an independent implementation to compare with.
std::vector<float> by_another_table(const tuwen::Model& model, const std::string& isa, const Work& work, size_t width) {
  auto options = tuwen::make<tuwen_session_options>();
  options.isa = isa.starts_with("avx512")                       ? "avx2"
                : isa.starts_with("avx2") && query_cpu().avx512 ? "avx512"
                                                                : "reference";
  tuwen::Session session(model, &options);
  std::vector<float> out(width);
  work.encode(session, 0, out, width);
  return out;
}

// What a model must at least agree with f32.
double least_cosine(std::string_view precision) {
  return precision == "f32" ? 0.99999 : precision == "int8" || precision == "fp8" ? 0.98 : 0.999;
}

int32_t precision_of(const std::string& name) {
  if (name == "f32") return TUWEN_F32;
  if (name == "bf16") return TUWEN_BF16;
  if (name == "f16") return TUWEN_F16;
  if (name == "fp8") return TUWEN_FP8;
  if (name == "int8") return TUWEN_INT8;
  throw std::runtime_error("--precision: expected f32, bf16, f16, int8 or fp8, found '" + name + "'");
}

int32_t plan_of(const std::string& name) {
  if (name != "exact" && name != "fast")
    throw std::runtime_error("--plan: expected exact or fast, found '" + name + "'");
  return name == "fast" ? TUWEN_FAST : TUWEN_EXACT;
}

std::shared_ptr<const tuwen::Model> load_model(const std::string& path, const std::string& precision,
                                               const std::string& plan) {
  auto load = tuwen::make<tuwen_load_options>();
  load.precision = precision_of(precision);
  load.plan = plan_of(plan);
  return std::make_shared<const tuwen::Model>(tuwen::Model::load(path, &load));
}

struct Subject {
  std::string precision, plan;
  std::shared_ptr<const tuwen::Model> model;

  bool runs_on_devices() const { return precision != "int8" && (precision != "f32" || plan != "fast"); }
  bool differs_on_cpu() const { return precision == "f32" || plan != "fast"; }  // from what another subject is
};

// The profile of the run that took the median time of `runs`, so that its parts belong together.
tuwen::Profile profile_median(const Work& work, tuwen::Session& session, std::span<float> out, size_t width) {
  constexpr size_t kRuns = 11;
  std::vector<tuwen::Profile> profiles(kRuns);
  auto options = tuwen::make<tuwen_encode_options>();
  for (int warm = 0; warm < 2; ++warm) {
    for (tuwen::Profile& profile : profiles) {
      options.profile = profile.get();
      work.encode(session, 0, out, width, &options);
    }
  }
  std::sort(profiles.begin(), profiles.end(),
            [](const auto& a, const auto& b) { return a.info().wall_ms < b.info().wall_ms; });
  return std::move(profiles[kRuns / 2]);
}

void measure_one(Report& report, const Options& o, const tuwen::Model& f32, const Subject& subject, const Work& work,
                 const std::string& isa, int threads, const std::string& device) {
  const tuwen::Model& model = *subject.model;
  const tuwen_model_info info = model.info();
  const auto width = static_cast<size_t>(info.embedding_size);
  auto session_options = tuwen::make<tuwen_session_options>();
  session_options.threads = threads;
  session_options.isa = isa.empty() ? nullptr : isa.c_str();
  session_options.device = device.c_str();
  tuwen::Session session(model, &session_options);
  const tuwen_session_info running = session.info();

  std::vector<float> out(work.batch * width);
  work.encode(session, 0, out, width);
  verify_batch(work, session, out, width);
  const double similarity = cosine(by_another_table(f32, running.isa, work, width), std::span(out).first(width));
  if (!(similarity > least_cosine(subject.precision)))
    throw std::runtime_error("cosine to f32 by another kernel table: " + std::to_string(similarity));

  const double memory = peak_memory_mb();
  // Of this CPU; what a device could do is not measured here.
  const bool on_cpu = device == "cpu";
  const auto limits_now = [&] {
    return on_cpu ? measure_limits(running.isa, subject.precision, running.threads) : Limits();
  };
  const Limits before = limits_now();
  const Statistics s = measure(o.common.repetition, [&] { work.encode(session, 0, out, width); });
  tuwen::Profile profile;
  if (!o.profile.empty()) profile = profile_median(work, session, out, width);
  const Limits limits = higher(before, limits_now());
  forget_peak_memory();

  const Flops& flops = work.flops_in(subject.precision);
  const double weights =
      work.image ? image_weight_bytes(info, subject.precision) : text_weight_bytes(info, subject.precision);
  const double batch = static_cast<double>(work.batch), seconds = s.median / 1e3;
  const double at_peak = on_cpu ? limits.seconds(flops) : 0, least = on_cpu ? limits.floor_seconds(flops, weights) : 0;
  const Record about = {{"bench", o.profile.empty() ? "encode" : "profile"},
                        {"tower", work.image ? "image" : "text"},
                        {"batch", work.batch},
                        {"tokens", work.tokens},
                        {"threads", running.threads},
                        {"precision", subject.precision},
                        {"plan", subject.plan},
                        {"device", on_cpu ? running.device : running.device + (" " + std::string(running.device_name))},
                        {"isa", running.isa}};
  Record record = about;
  add_times(record, s);
  record["items_per_s"] = batch / seconds;
  record["gflops"] = flops.total() / seconds / 1e9;
  if (*running.products != '\0') record["products"] = running.products;
  if (at_peak > 0) {
    record["peak_gflops"] = flops.total() / at_peak / 1e9;
    record["peak_share"] = at_peak / seconds;
    record["dram_gbytes_per_s"] = limits.dram / 1e9;
    record["floor_ms"] = 1e3 * least;
    record["floor_flops_ms"] = 1e3 * at_peak;
    record["floor_weights_ms"] = 1e3 * weights / limits.dram;
    record["times_floor"] = seconds / least;
  }
  record["cosine"] = similarity;
  record["peak_memory_mb"] = memory;
  record["model"] = o.model;
  record["checkpoint"] = o.checkpoint;
  if (!o.save.empty()) {
    save(o.save, work, out, info.image_size);
    record["saved"] = (std::filesystem::path(o.save) / work.name).string();
  }
  if (o.profile.empty()) return report.add(record);
  std::vector<Record> parts = attribute(profile, limits, about, o.profile == "layers");
  for (const char* key : {"median_ms", "floor_ms", "times_floor", "checkpoint"})
    if (record.contains(key)) parts.back()[key] = record[key];
  for (const Record& part : parts) report.add(part);
}

// Those of the list that are there, or else the CPU.
std::vector<std::string> devices_of(const std::string& list) {
  std::vector<std::string> devices, missing;
  for (const std::string& device : split(list)) {
    const std::string why = tuwen::missing_for(device);
    why.empty() ? devices.push_back(device) : missing.push_back(why);
  }
  for (const std::string& why : missing)
    std::cerr << "tuwen-bench: " << why << (devices.empty() ? "; the CPU is used\n" : "; left out\n");
  return devices.empty() ? std::vector<std::string>{"cpu"} : devices;
}

void run(const Options& o) {
  Report report = o.common.report();
  const std::vector<std::string> devices = devices_of(o.device);
  const auto f32 = load_model(o.model, "f32", "exact");
  std::vector<Subject> subjects;
  for (const std::string& precision : split(o.precision))
    for (const std::string& plan : split(o.plan))
      subjects.push_back(
          {precision, plan, precision == "f32" && plan == "exact" ? f32 : load_model(o.model, precision, plan)});
  for (const std::string& tower : split(o.tower)) {
    const bool image = tower == "image";
    if (!image && tower != "text") throw std::runtime_error("--tower: expected image or text, found '" + tower + "'");
    for (const Lengths tokens : image ? std::vector<Lengths>{{}} : parse_lengths(o.tokens)) {
      for (const int batch : parse_sweep(o.batch)) {
        const Work work = make_work(image, static_cast<size_t>(batch), tokens, *f32);
        for (const std::string& isa : o.isa.empty() ? std::vector<std::string>{""} : split(o.isa)) {
          for (const int threads : parse_sweep(o.threads)) {
            for (const std::string& device : devices) {
              for (const Subject& subject : subjects) {
                if (device != "cpu" ? !subject.runs_on_devices() : !subject.differs_on_cpu()) continue;
                progress(tower + " batch " + std::to_string(batch) + " threads " + std::to_string(threads) + " " + isa +
                         " " + subject.precision + " " + subject.plan + " " + device);
                measure_one(report, o, *f32, subject, work, isa, threads, device);
              }
            }
          }
        }
      }
    }
  }
  progress("");
}

}  // namespace

void add_encode(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "encode",
      "the encoders alone: pixel values or token ids in, embeddings out; no decoding, resizing or tokenising");
  auto o = std::make_shared<Options>();
  o->threads = std::to_string(query_cpu().cores);
  add_common_options(*command, o->common);
  add_model_option(*command, o->model);
  command->add_option("--tower", o->tower, "image, text or both")->capture_default_str();
  command->add_option("--batch", o->batch, "list or range: 1,8 or 1-64*2")->capture_default_str();
  command->add_option("--tokens", o->tokens, "of each text: list or range; 8..32 mixes lengths in a batch")
      ->capture_default_str();
  command->add_option("--threads", o->threads, "list or range")->capture_default_str();
  command->add_option("--precision", o->precision, "list of f32, bf16, f16 (on devices), int8, fp8")
      ->capture_default_str();
  command->add_option("--plan", o->plan, "list of exact, fast (on the CPU in f32 alone, on devices not in f32)")
      ->capture_default_str();
  command->add_option("--device", o->device, "list of cpu, cuda, cuda:N; eight-bit models run on the CPU alone")
      ->capture_default_str();
  command->add_option("--save", o->save, "folder for inputs and embeddings as .npy")->check(CLI::ExistingDirectory);
  command->add_option("--isa", o->isa, "list of kernel tables, as TUWEN_ISA names them; default: the fastest");
  CLI::Option* profile =
      command->add_option("--profile", o->profile, "where the time goes, by operation (ops) or by layer (layers)");
  profile->expected(0, 1)->type_name("[ops|layers]");
  command->callback([=] {
    if (profile->count() > 0 && o->profile != "layers") {
      if (o->profile != "ops" && o->profile != "true" && !o->profile.empty())
        throw CLI::ValidationError("--profile: expected ops or layers, found '" + o->profile + "'");
      o->profile = "ops";
    }
    o->checkpoint = checkpoint_hash(o->model);
    run(*o);
  });
}

}  // namespace tw::bench
