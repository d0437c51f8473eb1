#include "cli/command.h"

#include <iostream>

#include "cli/demo_model.h"
#include "cli/images.h"
#include "cli/lines.h"

namespace tuwen_cli {

CLI::Option* add_model_option(CLI::App& command, const char* name, std::string& model, const std::string& what) {
  const CLI::Validator find([](std::string& value) { return value = model_directory(value), std::string(); }, "");
  return command.add_option(name, model, what)->check(not_empty())->transform(find);
}

void add_model(CLI::App& command, CommonOptions& options) {
  add_model_option(command, "MODEL", options.model,
                   "model directory, as Hugging Face lays it out; `demo` is the one that comes with tuwen")
      ->required();
  add_runtime(command, options);
}

void add_runtime(CLI::App& command, CommonOptions& options) {
  command.add_option("--threads", options.threads, "threads to use (default: every CPU this process may use)")
      ->check(CLI::Range(1, 1024));
  command.add_flag("-q,--quiet", options.quiet, "no progress bar, no notes");
}

void add_common(CLI::App& command, CommonOptions& options) {
  add_model(command, options);
  add_precision(command, options);
  add_plan(command, options);
  add_calibration(command, options);
}

void add_plan(CLI::App& command, CommonOptions& options) {
  command
      .add_option(
          "--plan", options.plan,
          "how products are computed (default: exact); fast, with more memory: in f32 large ones of pictures by "
          "Strassen's algorithm on the CPU, in other types by cuBLASLt on a GPU")
      ->check(CLI::IsMember({"exact", "fast"}));
}

void add_precision(CLI::App& command, CommonOptions& options) {
  command
      .add_option("--precision", options.precision,
                  "arithmetic of the matrix products (default: f32); f16: on a device alone")
      ->check(CLI::IsMember({"f32", "bf16", "f16", "int8", "fp8"}));
}

void add_device(CLI::App& command, CommonOptions& options) {
  command.add_option("--device", options.device, "where to encode: cpu, cuda or cuda:N (default: cpu)");
}

void add_calibration(CLI::App& command, CommonOptions& options) {
  auto* file = command.add_option("--calibration", options.calibration_file,
                                  "for int8 and fp8: the scales that tuwen calibrate has written for this model");
  file->check(not_empty());
  command
      .add_option("--calibrate-images", options.calibrate_images,
                  "for int8 and fp8: a file of paths, one a line, of pictures to choose the scales by (default: a "
                  "built-in set)")
      ->check(not_empty())
      ->excludes(file);
  command
      .add_option("--calibrate-texts", options.calibrate_texts,
                  "for int8 and fp8: a file of texts, one a line, likewise; - for standard input")
      ->check(not_empty())
      ->excludes(file);
}

CLI::Validator not_empty() {
  return CLI::Validator(
      [](const std::string& value) { return std::string(value.empty() ? "expected a path, found an empty one" : ""); },
      "");
}

CLI::Option* add_list(CLI::App& command, const std::string& name, std::vector<std::string>& values,
                      const std::string& help) {
  constexpr int kMany = 1 << 20;  // not unlimited: CLI11 takes unlimited lists apart at commas inside brackets
  return command.add_option(name, values, help)->expected(1, kMany)->allow_extra_args(false);
}

void require_one(const std::vector<const CLI::Option*>& options) {
  size_t given = 0;
  std::string names;
  for (const CLI::Option* option : options) {
    if (option->count() > 0) ++given;
    names += (names.empty() ? "" : ", ") + option->get_name();
  }
  if (given != 1) throw UsageError("exactly one of " + names + " is needed, " + std::to_string(given) + " were given");
}

void add_json(CLI::App& command, CommonOptions& options) {
  command.add_flag("--json", options.json, "machine-readable output, floats in full precision");
}

Calibration read_calibration(const CommonOptions& options) {
  Calibration calibration{.images = {}, .texts = {}, .file = options.calibration_file};
  if (!options.calibrate_images.empty()) {
    const std::vector<std::string> paths = read_lines(options.calibrate_images, true);
    if (paths.empty()) throw Failure(options.calibrate_images + ": no pictures in it");
    calibration.images = read_images(paths, 0, paths.size());
  }
  if (!options.calibrate_texts.empty()) {
    calibration.texts = read_lines(options.calibrate_texts, true);
    if (calibration.texts.empty()) throw Failure(options.calibrate_texts + ": no texts in it");
  }
  return calibration;
}

namespace {

tuwen_precision precision_of(const std::string& name) {
  if (name == "bf16") return TUWEN_BF16;
  if (name == "f16") return TUWEN_F16;
  if (name == "fp8") return TUWEN_FP8;
  return name == "int8" ? TUWEN_INT8 : TUWEN_F32;
}

}  // namespace

tuwen::Model open_model(const CommonOptions& options) {
  if (options.precision != "int8" && options.precision != "fp8") {
    const char* given = !options.calibration_file.empty()   ? "--calibration"
                        : !options.calibrate_images.empty() ? "--calibrate-images"
                        : !options.calibrate_texts.empty()  ? "--calibrate-texts"
                                                            : nullptr;
    if (given != nullptr) throw UsageError(std::string(given) + ": only --precision int8 and fp8 are calibrated");
  }
  return open_model(options.model, options.precision, options.plan, read_calibration(options));
}

tuwen::Model open_model(const std::string& model, const std::string& precision, const std::string& plan,
                        const Calibration& calibration) {
  return with_calibration(calibration, [&](tuwen_load_options& load) {
    load.precision = precision_of(precision);
    load.plan = plan == "fast" ? TUWEN_FAST : TUWEN_EXACT;
    return tuwen::Model::load(model, &load);
  });
}

tuwen::Session open_session(const tuwen::Model& model, const CommonOptions& options) {
  auto session = tuwen::make<tuwen_session_options>();
  session.threads = options.threads;
  session.device = options.device.c_str();
  if (const std::string missing = tuwen::missing_for(options.device); !missing.empty()) {
    std::cerr << "tuwen: " << missing << "; the CPU is used\n";
    session.device = nullptr;
  }
  session.thread_source = TUWEN_THREADS_OPENMP;
  const auto create = [&] {
    tuwen::Session created(model, &session);
    if (const std::string products = created.info().products; products.starts_with("none: "))
      std::cerr << "tuwen: " << products.substr(6) << "; own kernels compute all products\n";
    return created;
  };
  try {
    return create();
  } catch (const tuwen::Error& error) {
    if (error.status() != TUWEN_UNSUPPORTED || error.field() != "options.thread_source") throw;
  }
  session.thread_source = TUWEN_THREADS_OWN;
  return create();
}

}  // namespace tuwen_cli
