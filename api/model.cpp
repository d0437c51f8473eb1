// Loading and describing models.
#include "api/boundary.h"
#include "api/calibration.h"
#include "api/handles.h"
#include "api/processor.h"
#include "core/cpu_info.h"
#include "models/calibration_file.h"

namespace tw {
namespace {

constexpr int kMaxReaders = 64;

struct Request {
  Towers towers;
  LoadOptions load;
  bool with_processor;
  tuwen_load_options given;
};

Request read_request(const tuwen_load_options* given) {
  const tuwen_load_options o = read_options(given, "options");
  checked_choice(o.precision, TUWEN_FP8, "options.precision");
  checked_choice(o.plan, TUWEN_FAST, "options.plan");
  checked_choice(o.towers, TUWEN_IMAGE_TOWER, "options.towers");
  checked_choice(o.allow_unexpected, 1, "options.allow_unexpected");
  checked_choice(o.without_processor, 1, "options.without_processor");
  const int threads = checked_choice(o.threads, kMaxReaders, "options.threads");
  if (o.memory_budget < 0) throw_argument("options.memory_budget", "0 or more bytes", std::to_string(o.memory_budget));
  const std::string file = o.calibration_file == nullptr ? "" : o.calibration_file;
  if (!file.empty() && (o.calibration_image_count > 0 || o.calibration_text_count > 0))
    throw_argument("options.calibration_file", "no calibration_images and no calibration_texts beside it", "some");
  return {.towers = static_cast<Towers>(o.towers),
          .load = {.precision = static_cast<Precision>(o.precision),
                   .plan = static_cast<Plan>(o.plan),
                   .threads = threads == 0 ? std::min(query_cpu().cores, kMaxReaders) : threads,
                   .memory_budget = o.memory_budget,
                   .allow_unexpected = o.allow_unexpected == 1,
                   .calibration_file = file},
          .with_processor = o.without_processor == 0,
          .given = o};
}
static_assert(static_cast<int>(Towers::text) == TUWEN_TEXT_TOWER);
static_assert(static_cast<int>(Towers::image) == TUWEN_IMAGE_TOWER);
static_assert(static_cast<int>(Precision::int8) == TUWEN_INT8);
static_assert(static_cast<int>(Precision::bf16) == TUWEN_BF16);
static_assert(static_cast<int>(Precision::f16) == TUWEN_F16);
static_assert(static_cast<int>(Precision::fp8) == TUWEN_FP8);
static_assert(static_cast<int>(Plan::fast) == TUWEN_FAST);
static_assert(static_cast<int>(ConfigKind::text) == TUWEN_TEXT_MODEL);
static_assert(static_cast<int>(ConfigKind::vision) == TUWEN_VISION_MODEL);

// The buffers that transformers before 4.31 saved, and that are no parameters.
bool is_parameter(const TensorInfo& tensor) { return !tensor.name.ends_with(".position_ids"); }

void describe_vision(tuwen_model_info& info, const VisionConfig& v) {
  info.vision_width = v.hidden_size;
  info.vision_layers = v.num_hidden_layers;
  info.vision_heads = v.num_attention_heads;
  info.vision_mlp = v.intermediate_size;
  info.image_size = v.image_size;
  info.patch_size = v.patch_size;
  info.image_tokens = v.tokens();
  set_field(info.vision_activation, v.hidden_act);
}

void describe_text(tuwen_model_info& info, const TextConfig& t) {
  info.text_width = t.hidden_size;
  info.text_layers = t.num_hidden_layers;
  info.text_heads = t.num_attention_heads;
  info.text_mlp = t.intermediate_size;
  info.vocabulary_size = t.vocab_size;
  info.max_text_tokens = t.max_position_embeddings;
  set_field(info.text_activation, t.hidden_act);
  info.is_decoder = t.is_decoder;
  info.has_cross_attention = t.add_cross_attention;
}

tuwen_model_info describe(const Checkpoint& checkpoint, const ChineseClipConfig& config, Towers towers) {
  tuwen_model_info info = {};
  info.towers = static_cast<tuwen_towers>(towers);
  std::optional<DType> type;
  bool mixed = false;
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    if (!is_parameter(tensor)) continue;
    int64_t elements = 1;  // cannot overflow: the reader has checked that the bytes lie in the file
    for (const int64_t d : tensor.shape) elements *= d;
    info.parameters += elements;
    mixed |= type.has_value() && *type != tensor.dtype;
    type = tensor.dtype;
  }
  if (!checkpoint.tensors().empty()) set_field(info.weights_file, checkpoint.file_of(checkpoint.tensors().front()));
  set_field(info.weights_type, mixed ? "mixed" : type.has_value() ? name(*type) : "none");
  const bool joint = config.kind == ConfigKind::joint;
  info.kind = static_cast<tuwen_model_kind>(config.kind);
  info.embedding_size = joint ? config.projection_dim : 0;
  info.has_pooler = config.kind == ConfigKind::text && checkpoint.find("pooler.dense.weight") != nullptr;
  if (config.kind != ConfigKind::text) describe_vision(info, config.vision);
  if (config.kind != ConfigKind::vision) describe_text(info, config.text);
  return info;
}

// A token id that the tokenizer can give has to be a row of the embedding table.
void check_vocabulary(const tuwen_processor& processor, const ChineseClipConfig& config, const std::string& directory) {
  if (processor.tokenizer.id_end() <= config.text.vocab_size) return;
  throw Error(ErrorCode::shape_mismatch,
              {.file = printable(directory),
               .field = "vocabulary",
               .expected = "at most " + std::to_string(config.text.vocab_size) + " tokens (text_config.vocab_size)",
               .found = std::to_string(processor.tokenizer.id_end())});
}

// The weights of a model whose processor, if it has one, is read.
void load_weights(LoadedModel& loaded, const Checkpoint& checkpoint, const ChineseClipConfig& config,
                  const Request& request) {
  LoadOptions how = request.load;
  CalibrationInputs calibration;
  if ((how.precision == Precision::int8 || how.precision == Precision::fp8) && how.calibration_file.empty()) {
    calibration = calibration_inputs(loaded, config, request.given);
    how.calibration = &calibration;
  }
  loaded.clip = ChineseClip::load(checkpoint, config, how, request.towers);
  loaded.info = describe(checkpoint, config, request.towers);
  loaded.info.precision = static_cast<tuwen_precision>(loaded.clip->precision());
  loaded.info.plan = static_cast<tuwen_plan>(loaded.clip->plan());
  loaded.info.weight_bytes = loaded.clip->weight_bytes();
  loaded.info.logit_scale = loaded.clip->logit_scale();
}

std::shared_ptr<const LoadedModel> load(const std::string& directory, const Request& request) {
  auto loaded = std::make_shared<LoadedModel>();
  const ChineseClipConfig config = read_config(directory);
  if (request.with_processor) {
    loaded->processor.emplace(load_processor(directory));
    if (config.kind != ConfigKind::vision) check_vocabulary(*loaded->processor, config, directory);
    ImageProcessorOptions options = loaded->processor->images.options();
    options.data_format = ChannelLayout::channels_first;
    loaded->encoder_input.emplace(std::move(options));
  }
  load_weights(*loaded, Checkpoint::open(directory), config, request);
  return loaded;
}

tuwen_model_info inspect(const std::string& directory, const Request& request) {
  const ChineseClipConfig config = read_config(directory);
  const Checkpoint checkpoint = Checkpoint::open(directory);
  tuwen_model_info info = describe(checkpoint, config, request.towers);
  info.precision = static_cast<tuwen_precision>(request.load.precision);
  info.plan = static_cast<tuwen_plan>(request.load.plan);
  info.weight_bytes = ChineseClip::measure(checkpoint, config, request.load, request.towers);
  return info;
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_model_load(const char* directory, const tuwen_load_options* options, tuwen_model** model) {
  return guarded([&] {
    not_null(model, "model");
    const Request request = read_request(options);
    *model = new tuwen_model{load(checked_path(directory, "directory"), request)};
  });
}

tuwen_status tuwen_model_load_checkpoint(const tuwen_checkpoint* checkpoint, const tuwen_load_options* options,
                                         tuwen_model** model) {
  return guarded([&] {
    const tuwen_checkpoint& parts = not_null(checkpoint, "checkpoint");
    not_null(model, "model");
    auto loaded = std::make_shared<LoadedModel>();
    load_weights(*loaded, *parts.tensors, parse_config(parts.config_json, "config.json"), read_request(options));
    *model = new tuwen_model{std::move(loaded)};
  });
}

tuwen_status tuwen_calibrate(const char* directory, const tuwen_load_options* options, const char* file) {
  return guarded([&] {
    Request request = read_request(options);
    request.load.precision = Precision::f32;
    request.load.plan = Plan::exact;
    const std::string path = checked_path(file, "file");
    const std::shared_ptr<const LoadedModel> loaded = load(checked_path(directory, "directory"), request);
    const CalibrationInputs inputs = calibration_inputs(*loaded, loaded->clip->config(), request.given);
    save_calibration(Calibration::run(*loaded->clip, inputs, request.load.threads), *loaded->clip, path);
  });
}

tuwen_status tuwen_model_get_config(const tuwen_model* model, tuwen_text* config_json) {
  return guarded([&] {
    const std::string& text = not_null(model, "model").loaded->clip->config().json;
    not_null(config_json, "config_json") = {text.data(), text.size()};
  });
}

void tuwen_model_free(tuwen_model* model) { delete model; }

const tuwen_processor* tuwen_model_processor(const tuwen_model* model) {
  if (model == nullptr || !model->loaded->processor.has_value()) return nullptr;
  return &*model->loaded->processor;
}

tuwen_status tuwen_model_get_info(const tuwen_model* model, tuwen_model_info* info) {
  return guarded([&] { write_info(info, not_null(model, "model").loaded->info, "info"); });
}

tuwen_status tuwen_model_inspect(const char* directory, const tuwen_load_options* options, tuwen_model_info* info) {
  return guarded([&] {
    const Request request = read_request(options);
    write_info(info, inspect(checked_path(directory, "directory"), request), "info");
  });
}
