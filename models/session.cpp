#include "models/session.h"

#include <algorithm>
#include <string>

#include "core/cpu_info.h"
#include "core/error.h"
#include "kernels/select.h"
#include "models/session_calls.h"
#include "models/session_scratch.h"

namespace tw {

namespace {

[[noreturn]] void invalid(const char* field, const std::string& expected, const std::string& found) {
  throw Error(ErrorCode::invalid_argument, {.field = field, .expected = expected, .found = found});
}

// A tower that stands alone has no projection: its first tokens are the result.
void project(Exec& ex, Tensor y, Tensor x, const Linear& w) {
  w.weights.n() > 0 ? linear(ex, y, x, w) : copy_rows(ex, y, x);
}

void check_bytes(const VisionConfig& c, const float* table) {
  if (takes_pictures(c) && table != nullptr) return;
  invalid("images", "a table, and a model of 3 channels, for byte pixels",
          std::to_string(c.num_channels) + " channels");
}

const SessionOptions& checked(const SessionOptions& options) {
  if (options.threads < 1 || options.threads > 1024) invalid("threads", "1 to 1024", std::to_string(options.threads));
  if (options.max_rows < 1 || options.max_rows > (int64_t{1} << 20))
    invalid("max_rows", "1 to 1048576", std::to_string(options.max_rows));
  return options;
}

}  // namespace

const Session::OpMemory& Session::op_memory() const { return scratch_->ops; }

int64_t Session::items_in_slice(int64_t rows_each) const { return std::max<int64_t>(1, scratch_->rows / rows_each); }

Session::Session(std::shared_ptr<const ChineseClip> model, const SessionOptions& options)
    : model_(std::move(model)),
      where_(options.device),
      kernels_(checked(options).kernels != nullptr ? options.kernels : &select_table(query_cpu())),
      pool_(options.executor.run == nullptr && options.threads > 1 ? std::make_unique<ThreadPool>(options.threads)
                                                                   : nullptr),
      team_(pool_ != nullptr                  ? pool_->executor()
            : options.executor.run != nullptr ? options.executor
                                              : calling_thread(),
            pool_ != nullptr ? pool_->size() : options.threads) {
  const int64_t bytes = scratch_bytes(*model_, options);
  if (options.memory_budget > 0 && bytes > options.memory_budget) {
    throw Error(ErrorCode::limit_exceeded, {.field = "memory budget",
                                            .expected = "at most " + std::to_string(options.memory_budget) + " bytes",
                                            .found = std::to_string(bytes) + " bytes of scratch"});
  }
  if (!options.device && model_->precision() == Precision::f16) {
    throw Error(
        ErrorCode::unsupported,
        {.field = "precision f16", .expected = "a session on a device", .found = "one on the CPU, which has no f16"});
  }
  if (options.device && model_->precision() == Precision::fp8 && !options.device.fp8) {
    throw Error(ErrorCode::unsupported, {.field = "precision fp8",
                                         .expected = "a device that multiplies E4M3 (CUDA: sm_89 and newer)",
                                         .found = options.device.name});
  }
  running_ = model_;
  if (options.device) {
    running_ = model_->on_device(options.device);
    device_sizes_ = device_sizes(*model_, options);
    device_ = std::make_unique<SessionDevice>(options.device, device_sizes_, running_->products());
  } else {
    memory_ = Buffer(bytes, "session scratch");
  }
  Arena arena(device_ ? device_->scratch() : memory_);
  scratch_ = std::make_unique<Scratch>(plan(arena, *model_, options));
}

Session::~Session() = default;

SliceInputs Session::slice_inputs() {
  return device_ ? device_->inputs() : SliceInputs(scratch_->inputs, scratch_->inputs_bytes, false);
}

template <class Before, class Body>
void Session::run_slice(const SliceInputs& inputs, const SliceShape& shape, float* out, const EmbedOptions& options,
                        int64_t layers, Stop& stop, Before before, Body body) {
  if (device_) {
    if (stop.at_layer()) return;  // layers that were recorded do not look
    const Tensor result = scratch_->result.row_range(0, shape.items);
    device_->run(inputs, shape, result, out, before, [&](Exec& ex) {
      body(ex, result);
      return !stop.stopped();
    });
  } else {
    const Tensor result = matrix(out, shape.items, model_->embedding_width());
    run(scratch_->ops, options, layers, [&](Exec& ex) { body(ex, result); });
  }
}

void Session::check(const EmbedOptions& options) const {
  if (!device_) return;
  const char* refused = options.capture != nullptr ? "capture" : options.profile != nullptr ? "profile" : nullptr;
  if (refused != nullptr)
    throw Error(ErrorCode::unsupported,
                {.field = refused, .note = "sessions on the CPU have it, those on a device do not"});
}

const VisionConfig& Session::checked_vision() const {
  if (model_->vision() == nullptr) invalid("images", "a model with its image tower loaded", "none");
  return model_->vision()->config();
}

int64_t Session::images_in_slice() const {
  return std::min(scratch_->rows / checked_vision().tokens(), scratch_->items);
}

void Session::encode_images(const ImageBatch& images, std::span<float> out, const EmbedOptions& options) {
  const OccupiedSession occupied(busy_);
  check(options);
  const VisionConfig& c = checked_vision();
  if (images.u8) check_bytes(c, images.table);
  const int64_t image_bytes = c.image_size * c.image_size * c.num_channels * (images.u8 ? 1 : size_of(DType::f32));
  const auto* pixels = static_cast<const std::byte*>(images.pixels);
  const auto kind = images.u8 ? SliceShape::Inputs::bytes : SliceShape::Inputs::values;
  encode_image_slices(images.count, out, options, [&](int64_t first, int64_t count, SliceInputs& in) -> SlicePixels {
    const std::byte* slice = in.given(pixels + first * image_bytes, count * image_bytes, team_);
    return {kind, slice, images.u8 ? in.given(images.table, 3 * 256) : nullptr};
  });
}

void Session::encode_pictures(int64_t count, const float* table, const FillPictures& fill, std::span<float> out,
                              const EmbedOptions& options) {
  const OccupiedSession occupied(busy_);
  check(options);
  const VisionConfig& c = checked_vision();
  check_bytes(c, table);
  if (!device_) throw Error(ErrorCode::internal, {.field = "pictures", .expected = "a session on a device"});
  encode_image_slices(count, out, options, [&](int64_t first, int64_t some, SliceInputs& in) -> SlicePixels {
    const float* staged_table = in.given(table, 3 * 256);
    StagedPictures pictures(in, some, c.image_size);
    fill(first, pictures);
    return {SliceShape::Inputs::pictures, scratch_->pictures, staged_table,
            pictures.finish(scratch_->between, scratch_->pictures)};
  });
}

template <class Take>
void Session::encode_image_slices(int64_t count, std::span<float> out, const EmbedOptions& options, Take take) {
  const int64_t width = model_->embedding_width();
  if (count < 0 || static_cast<int64_t>(out.size()) != count * width)
    invalid("out", std::to_string(count * width) + " floats", std::to_string(out.size()));
  Stop stop(options.cancel, options.deadline);
  std::optional<SessionDevice::Call> call;
  if (device_) call.emplace(*device_);
  const int64_t per_slice = images_in_slice();
  for (int64_t first = 0; first < count; first += per_slice) {
    const auto take_slice = [&](int64_t some, SliceInputs& in) { return take(first, some, in); };
    encode_image_slice(std::min(per_slice, count - first), out.data() + first * width, options, stop, take_slice);
    throw_if_stopped(stop);
  }
  if (call) call->finish();
}

template <class Take>
void Session::encode_image_slice(int64_t count, float* out, const EmbedOptions& options, Stop& stop, Take take) {
  const Vit& vision = *running_->vision();
  const VisionConfig& c = vision.config();
  const int64_t tokens = c.tokens();
  SliceInputs in = slice_inputs();
  const auto every_token = in.make<Sequence>(count), class_token = in.make<Sequence>(count);
  for (int64_t i = 0; i < count; ++i) {
    every_token[static_cast<size_t>(i)] = {i * tokens, tokens, i * tokens, tokens};
    class_token[static_cast<size_t>(i)] = {i, 1, i * tokens, tokens};
  }
  const SlicePixels from = take(count, in);
  const PatchSource pixels{.pixels = from.pixels,
                           .u8 = from.kind != SliceShape::Inputs::values,
                           .table = from.table,
                           .height = c.image_size,
                           .width = c.image_size,
                           .channels = c.num_channels,
                           .patch = c.patch_size,
                           .resident = from.resize.has_value()};
  const SliceShape shape{from.kind, options.normalize, count, count * tokens, tokens};
  const auto resize_pictures = [&](Exec& ex) {
    if (from.resize) resize(ex, *from.resize);
  };
  run_slice(in, shape, out, options, c.num_hidden_layers, stop, resize_pictures, [&](Exec& ex, Tensor result) {
    const Tensor pooled =
        vision.forward(ex, scratch_->vision, pixels, {every_token, class_token}, stop, options.capture);
    if (stop.stopped()) return;
    const Tap tap{options.capture, "image"};
    ex.enter("vision");
    project(ex, result, pooled, running_->image_projection());
    tap(ex, "features", result);
    if (options.normalize) l2_normalize(ex, result, result);
    if (options.normalize) tap(ex, "embeds", result);
  });
}

void Session::check(const TextBatch& texts) const {
  const TextConfig& c = model_->text()->config();
  const int64_t tokens = static_cast<int64_t>(texts.ids.size());
  const auto range = [](int64_t limit) { return "0 to " + std::to_string(limit - 1); };
  if (texts.offsets.empty() || texts.offsets.front() != 0 || texts.offsets.back() != tokens)
    invalid("offsets", "0 ... " + std::to_string(tokens),
            texts.offsets.empty() ? "none" : std::to_string(texts.offsets.back()));
  for (size_t i = 0; i + 1 < texts.offsets.size(); ++i) {
    const int64_t length = texts.offsets[i + 1] - texts.offsets[i];
    if (length < 1 || length > c.max_position_embeddings)
      throw Error(ErrorCode::invalid_argument, {.file = "text[" + std::to_string(i) + "]",
                                                .field = "tokens",
                                                .expected = "1 to " + std::to_string(c.max_position_embeddings),
                                                .found = std::to_string(length)});
  }
  const auto check_values = [&](std::span<const int32_t> values, int64_t limit, const char* field) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] < 0 || values[i] >= limit)
        invalid((std::string(field) + "[" + std::to_string(i) + "]").c_str(), range(limit), std::to_string(values[i]));
    }
  };
  const auto check_array = [&](std::span<const int32_t> values, int64_t limit, const char* field) {
    if (values.empty()) return;
    if (static_cast<int64_t>(values.size()) != tokens)
      invalid(field, std::to_string(tokens) + " values", std::to_string(values.size()));
    check_values(values, limit, field);
  };
  check_values(texts.ids, c.vocab_size, "ids");
  check_array(texts.type_ids, c.type_vocab_size, "type_ids");
  check_array(texts.position_ids, c.max_position_embeddings, "position_ids");
}

void Session::encode_texts(const TextBatch& texts, std::span<float> out, const EmbedOptions& options) {
  const OccupiedSession occupied(busy_);
  check(options);
  if (model_->text() == nullptr) invalid("texts", "a model with its text tower loaded", "none");
  check(texts);
  const int64_t count = static_cast<int64_t>(texts.offsets.size()) - 1, width = model_->embedding_width();
  if (static_cast<int64_t>(out.size()) != count * width)
    invalid("out", std::to_string(count * width) + " floats", std::to_string(out.size()));
  Stop stop(options.cancel, options.deadline);
  std::optional<SessionDevice::Call> call;
  if (device_) call.emplace(*device_);
  const int64_t* offsets = texts.offsets.data();
  for (int64_t first = 0; first < count;) {
    int64_t end = first + 1;
    while (end < count && end - first < scratch_->items && offsets[end + 1] - offsets[first] <= scratch_->rows) ++end;
    encode_text_slice(texts, first, end - first, out.data() + first * width, options, stop);
    throw_if_stopped(stop);
    first = end;
  }
  if (call) call->finish();
}

void Session::encode_text_slice(const TextBatch& texts, int64_t first, int64_t count, float* out,
                                const EmbedOptions& options, Stop& stop) {
  const int64_t begin = texts.offsets[static_cast<size_t>(first)];
  const int64_t tokens = texts.offsets[static_cast<size_t>(first + count)] - begin;
  SliceInputs in = slice_inputs();
  const auto every_token = in.make<Sequence>(count), first_token = in.make<Sequence>(count);
  const auto first_rows = in.make<int64_t>(count);
  int64_t longest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = texts.offsets[static_cast<size_t>(first + i)] - begin;
    const int64_t length = texts.offsets[static_cast<size_t>(first + i + 1)] - begin - row;
    const auto at = static_cast<size_t>(i);
    every_token[at] = {row, length, row, length};
    first_token[at] = {i, 1, row, length};
    first_rows[at] = row;
    longest = std::max(longest, length);
  }
  // Of the caller, or what stands for a missing array.
  const auto ids_or = [&](std::span<const int32_t> given, auto missing) -> const int32_t* {
    if (!given.empty()) return in.given(given.data() + begin, tokens);
    const auto made = in.make<int32_t>(tokens);
    missing(made);
    return made.data();
  };
  const auto zeros = [](std::span<int32_t> types) { std::fill(types.begin(), types.end(), 0); };
  const auto counted = [&](std::span<int32_t> positions) {
    for (const Sequence& s : every_token)
      for (int64_t t = 0; t < s.keys; ++t) positions[static_cast<size_t>(s.first_key + t)] = static_cast<int32_t>(t);
  };
  const PackedTexts packed{
      .ids = in.given(texts.ids.data() + begin, tokens),
      .type_ids = ids_or(texts.type_ids, zeros),
      .position_ids = ids_or(texts.position_ids, counted),
      .tokens = tokens,
      .every_token = every_token,
      .first_token = first_token,
      .first_rows = first_rows,
  };
  const int64_t layers = running_->text()->config().num_hidden_layers;
  const SliceShape shape{SliceShape::Inputs::texts, options.normalize, count, tokens, longest};
  const auto nothing = [](Exec&) {};
  run_slice(in, shape, out, options, layers, stop, nothing, [&](Exec& ex, Tensor result) {
    const Tensor pooled = running_->text()->forward(ex, scratch_->text, packed, stop, options.capture);
    if (stop.stopped()) return;
    const Tap tap{options.capture, "text"};
    ex.enter(tap.tower);
    project(ex, result, pooled, running_->text_projection());
    tap(ex, "features", result);
    if (options.normalize) l2_normalize(ex, result, result);
    if (options.normalize) tap(ex, "embeds", result);
  });
}

void Session::compare(std::span<const float> text_embeds, std::span<const float> image_embeds,
                      std::span<float> logits_per_text) {
  const OccupiedSession occupied(busy_);
  const int64_t width = model_->embedding_width();
  const int64_t texts = static_cast<int64_t>(text_embeds.size()) / width;
  const int64_t images = static_cast<int64_t>(image_embeds.size()) / width;
  if (static_cast<int64_t>(text_embeds.size()) != texts * width ||
      static_cast<int64_t>(image_embeds.size()) != images * width)
    invalid("embeds", "rows of " + std::to_string(width) + " floats",
            std::to_string(text_embeds.size()) + " and " + std::to_string(image_embeds.size()));
  if (static_cast<int64_t>(logits_per_text.size()) != texts * images)
    invalid("logits_per_text", std::to_string(texts * images) + " floats", std::to_string(logits_per_text.size()));
  // Inputs are only read; Tensor has one pointer type for both directions.
  const Tensor t = matrix(const_cast<float*>(text_embeds.data()), texts, width);
  const Tensor i = matrix(const_cast<float*>(image_embeds.data()), images, width);
  const Tensor y = matrix(logits_per_text.data(), texts, images);
  run(op_memory(), {}, 0, [&](Exec& ex) { similarity(ex, y, t, i, model_->logit_scale()); });
}

}  // namespace tw
