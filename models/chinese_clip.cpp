#include "models/chinese_clip.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/jobs.h"
#include "models/calibration_file.h"
#include "models/fp8.h"
#include "models/quantization.h"

namespace tw {

ChineseClip::ChineseClip(const ChineseClipConfig& config, Towers towers) : config_(config) {
  const ConfigKind kind = config.kind;
  if ((kind == ConfigKind::text && towers == Towers::image) || (kind == ConfigKind::vision && towers == Towers::text))
    throw Error(ErrorCode::invalid_argument,
                {.field = "towers", .note = "config.json is of the other tower, which stands alone"});
  if (towers != Towers::image && kind != ConfigKind::vision) text_.emplace(config.text);
  if (towers != Towers::text && kind != ConfigKind::text) vision_.emplace(config.vision);
}

int64_t ChineseClip::embedding_width() const {
  if (has_embeddings()) return config_.projection_dim;
  return text_ ? config_.text.hidden_size : config_.vision.hidden_size;
}

void ChineseClip::bind(WeightBinder& w) {
  if (!has_embeddings()) {
    if (text_) text_->bind(w, "");
    if (vision_)
      vision_->bind(w, "vision_model.");  // ChineseCLIPVisionModel wraps its transformer, the text model none
    return;
  }
  if (text_) {
    text_->bind(w, "text_model.");
    w.projection(text_projection_, "text_projection", config_.projection_dim, config_.text.hidden_size);
  }
  if (vision_) {
    vision_->bind(w, "vision_model.");
    w.projection(image_projection_, "visual_projection", config_.projection_dim, config_.vision.hidden_size);
  }
  w.scalar(logit_scale_, "logit_scale");
}

namespace {

LoadOptions effective(LoadOptions options, Towers towers) {
  options.allow_unexpected |= towers != Towers::both;  // the other tower's weights are there and not asked for
  return options;
}

}  // namespace

void ChineseClip::check_fit(WeightBinder& binder, const LoadOptions& options) {
  if (options.plan == Plan::fast && options.precision == Precision::int8) {
    throw Error(ErrorCode::unsupported, {.field = "plan fast",
                                         .expected = "precision f32, bf16, f16 or fp8",
                                         .found = "int8",
                                         .note = "there are no such products of eight bits"});
  }
  if (options.precision == Precision::fp8 && text_ && config_.text.add_cross_attention) {
    throw Error(ErrorCode::unsupported, {.field = "precision fp8",
                                         .expected = "a text model without cross-attention",
                                         .note = "no calibration shows what its products are fed"});
  }
  bind(binder);
  binder.check();
}

int64_t ChineseClip::measure(const Checkpoint& checkpoint, const ChineseClipConfig& config, const LoadOptions& options,
                             Towers towers) {
  ChineseClip model(config, towers);
  WeightBinder binder(checkpoint, effective(options, towers));
  model.check_fit(binder, options);
  return binder.bytes();
}

std::shared_ptr<const ChineseClip> ChineseClip::load(const Checkpoint& checkpoint, const ChineseClipConfig& config,
                                                     const LoadOptions& options, Towers towers) {
  std::shared_ptr<ChineseClip> model(new ChineseClip(config, towers));
  WeightBinder binder(checkpoint, effective(options, towers));
  model->check_fit(binder, options);
  model->bind(binder);
  binder.read();
  if (model->vision_) model->vision_->finish_loading();
  if (model->has_embeddings()) model->logit_scale_ = std::exp(model->logit_scale_);
  model->weight_bytes_ = binder.bytes();
  if (options.precision == Precision::int8 || options.precision == Precision::fp8) model->quantize(options);
  model->precision_ = options.precision;
  model->plan_ = options.plan;
  return model;
}

std::shared_ptr<const ChineseClip> ChineseClip::on_device(const Device& device) const {
  if (precision_ == Precision::int8) {
    throw Error(ErrorCode::unsupported, {.field = std::string("device \"") + device.handle.api->name + "\"",
                                         .expected = "a model in f32, bf16, f16 or fp8",
                                         .found = "int8",
                                         .note = "there are no kernels for eight-bit products yet"});
  }
  bool strassen = false;
  for_each_linear([&](const Linear& w) { strassen |= w.strassen.bytes() > 0; });
  if (strassen) {
    throw Error(ErrorCode::unsupported, {.field = std::string("device \"") + device.handle.api->name + "\"",
                                         .expected = "a model with the exact plan, or not in f32",
                                         .found = "fast",
                                         .note = "its large f32 products are packed for the CPU"});
  }
  const std::lock_guard lock(making_copies_);
  for (const DeviceCopy& copy : copies_)
    if (copy.device == device.handle && copy.table == device.table && copy.blaslt == device.blaslt) return copy.model;
  const Towers towers = !text_ ? Towers::image : !vision_ ? Towers::text : Towers::both;
  std::shared_ptr<ChineseClip> model(new ChineseClip(config_, towers));
  model->upload(*this, device);
  copies_.push_back({device.handle, device.table, device.blaslt, model});
  return model;
}

bool ChineseClip::asks_for_library(const Device& device) const {
  return plan_ == Plan::fast && precision_ != Precision::f32 && device.blaslt != nullptr;
}

bool ChineseClip::may_use_library(const Device& device) const {
  return asks_for_library(device) && device.blaslt().api;
}

void ChineseClip::upload(const ChineseClip& from, const Device& device) {
  const DeviceScope scope(device.handle);
  if (from.asks_for_library(device)) products_ = std::make_unique<ProductChoices>(device);
  WeightUpload upload(device, products_ && products_->open());
  if (text_) text_->upload(upload, *from.text_);
  if (vision_) vision_->upload(upload, *from.vision_);
  upload.copy(text_projection_, from.text_projection_);
  upload.copy(image_projection_, from.image_projection_);
  upload.finish();
  logit_scale_ = from.logit_scale_;
  precision_ = from.precision_;
  plan_ = from.plan_;
  weight_bytes_ = from.weight_bytes_ + upload.plain_bytes();
}

namespace {

void make_int8(Linear& w, const ProductInput& input) {
  const std::vector<float> factors = smoothing_factors(w.weights, input);
  const std::vector<float> lost = lost_to_rounding(w.weights, input, factors);
  for (int64_t n = 0; n < w.bias.size() / size_of(DType::f32); ++n)
    w.bias.as<float>()[n] += lost[static_cast<size_t>(n)];
  w.int8 = PackedInt8(w.weights, factors.data());
  w.weights.release();
}

}  // namespace

void ChineseClip::quantize(const LoadOptions& options) {
  const CalibrationInputs built_in;
  const Calibration calibration =
      !options.calibration_file.empty()
          ? read_calibration(options.calibration_file, *this)
          : Calibration::run(*this, options.calibration != nullptr ? *options.calibration : built_in, options.threads);
  std::vector<Linear*> products;
  const auto collect = [&](Linear& w) { products.push_back(&w); };
  if (text_) text_->for_each_linear(collect);
  if (vision_) vision_->for_each_linear(collect);
  std::vector<int64_t> saved(products.size());
  const bool int8 = options.precision == Precision::int8;
  const auto make = int8 ? make_int8 : make_fp8;
  run_jobs(options.threads, static_cast<int64_t>(products.size()), [&](int64_t i) {
    Linear& w = *products[static_cast<size_t>(i)];
    const int64_t before = w.weights.bytes();
    make(w, calibration.input_of(w));
    saved[static_cast<size_t>(i)] = before - w.weights.bytes() - w.int8.bytes() - w.fp8.weights.size();
  });
  for (const int64_t bytes : saved) weight_bytes_ -= bytes;
  if (vision_) weight_bytes_ -= int8 ? vision_->quantize_patch_embedding() : vision_->round_patch_embedding();
}

void transpose(std::span<float> out, std::span<const float> in, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      out[static_cast<size_t>(c * rows + r)] = in[static_cast<size_t>(r * columns + c)];
}

namespace {

double log_sum_exp(const float* x, int64_t count, int64_t stride) {
  double largest = -HUGE_VAL, sum = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, static_cast<double>(x[i * stride]));
  for (int64_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(x[i * stride]) - largest);
  return largest + std::log(sum);
}

}  // namespace

void probabilities(std::span<float> out, std::span<const float> logits, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = logits.data() + r * columns;
    const double total = log_sum_exp(row, columns, 1);
    for (int64_t c = 0; c < columns; ++c)
      out[static_cast<size_t>(r * columns + c)] = static_cast<float>(std::exp(static_cast<double>(row[c]) - total));
  }
}

float contrastive_loss(std::span<const float> logits_per_text, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double diagonal = static_cast<double>(logits_per_text[static_cast<size_t>(i * n + i)]);
    sum += log_sum_exp(logits_per_text.data() + i * n, n, 1) - diagonal;  // text i among images
    sum += log_sum_exp(logits_per_text.data() + i, n, n) - diagonal;      // image i among texts
  }
  return static_cast<float>(sum / 2 / static_cast<double>(n));
}

}  // namespace tw
