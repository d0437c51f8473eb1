#include "models/session.h"

#include <algorithm>
#include <string>

#include "core/cpu_info.h"
#include "core/error.h"
#include "kernels/select.h"
#include "models/session_calls.h"

namespace tw {

// Everything an encode writes to besides its output.
struct Session::Scratch {
  int64_t rows = 0;  // tokens in a slice
  BertScratch text;
  VitScratch vision;
  OpMemory ops;
  // Where sequences begin; as many as a slice can hold.
  Sequence *every_token = nullptr, *first_token = nullptr;  // [rows]
  int64_t* first_rows = nullptr;                            // [rows]
  int32_t *type_zeros = nullptr, *positions = nullptr;      // [rows]
};

namespace {

[[noreturn]] void invalid(const char* field, const std::string& expected, const std::string& found) {
  throw Error(ErrorCode::invalid_argument, {.field = field, .expected = expected, .found = found});
}

// A tower that stands alone has no projection: its first tokens are the result.
void project(Exec& ex, Tensor y, Tensor x, const Linear& w) {
  w.weights.n() > 0 ? linear(ex, y, x, w) : copy_rows(ex, y, x);
}

const SessionOptions& checked(const SessionOptions& options) {
  if (options.threads < 1 || options.threads > 1024) invalid("threads", "1 to 1024", std::to_string(options.threads));
  if (options.max_rows < 1 || options.max_rows > (int64_t{1} << 20))
    invalid("max_rows", "1 to 1048576", std::to_string(options.max_rows));
  return options;
}

}  // namespace

Session::Scratch Session::plan(Arena& arena, const ChineseClip& model, const SessionOptions& options) {
  Scratch s;
  const Bert* text = model.text();
  const Vit* vision = model.vision();
  const int64_t longest_text = text != nullptr ? text->config().max_position_embeddings : 0;
  const int64_t image_tokens = vision != nullptr ? vision->config().tokens() : 0;
  const DType type = model.activation_type();
  s.rows = std::max({options.max_rows, longest_text, image_tokens, int64_t{1}});
  // Both towers use the same memory: they never run at once.
  if (text != nullptr && vision != nullptr) {
    Arena text_only, vision_only;
    BertScratch::plan(text_only, text->config(), s.rows, type, text->attention_type(type));
    VitScratch::plan(vision_only, vision->config(), s.rows, s.rows / image_tokens, type, type);
    const int64_t bytes = std::max(text_only.used(), vision_only.used());
    if (std::byte* shared = static_cast<std::byte*>(arena.take_bytes(bytes))) {
      Arena first(shared, bytes), second(shared, bytes);
      s.text = BertScratch::plan(first, text->config(), s.rows, type, text->attention_type(type));
      s.vision = VitScratch::plan(second, vision->config(), s.rows, s.rows / image_tokens, type, type);
    }
  } else if (text != nullptr) {
    s.text = BertScratch::plan(arena, text->config(), s.rows, type, text->attention_type(type));
  } else if (vision != nullptr) {
    s.vision = VitScratch::plan(arena, vision->config(), s.rows, s.rows / image_tokens, type, type);
  }
  int64_t attention_floats = 0;
  if (text != nullptr)
    attention_floats = attention_scratch_floats(longest_text, text->config().head_dim(), text->attention_type(type));
  if (vision != nullptr)
    attention_floats =
        std::max(attention_floats, attention_scratch_floats(image_tokens, vision->config().head_dim(), type));
  s.ops = plan_ops(arena, model, options.threads, attention_floats, s.rows);
  const auto array = [&]<class T>(T*& pointer) {
    pointer = static_cast<T*>(arena.take_bytes(s.rows * static_cast<int64_t>(sizeof(T))));
  };
  array(s.every_token);
  array(s.first_token);
  array(s.first_rows);
  array(s.type_zeros);
  array(s.positions);
  return s;
}

Session::OpMemory Session::plan_ops(Arena& arena, const ChineseClip& model, int threads, int64_t attention_floats,
                                    int64_t rows) {
  OpMemory m;
  m.attention_floats = attention_floats;
  m.attention = arena.take(std::max(threads, 1), attention_floats).f32();
  if (model.precision() == Precision::int8) {
    int64_t widest = 0;
    model.for_each_linear([&](const Linear& w) { widest = std::max(widest, w.weights.k()); });
    m.quantized = static_cast<uint8_t*>(arena.take_bytes(rows * quantized_stride(widest)));
    m.quantized_scale = arena.take(1, rows).f32();
    m.quantized_zero = static_cast<int32_t*>(arena.take_bytes(rows * static_cast<int64_t>(sizeof(int32_t))));
  }
  return m;
}

const Session::OpMemory& Session::op_memory() const { return scratch_->ops; }

int64_t Session::items_in_slice(int64_t rows_each) const { return std::max<int64_t>(1, scratch_->rows / rows_each); }

int64_t Session::scratch_bytes(const ChineseClip& model, const SessionOptions& options) {
  Arena measure;
  plan(measure, model, options);
  return measure.used();
}

Session::Session(std::shared_ptr<const ChineseClip> model, const SessionOptions& options)
    : model_(std::move(model)),
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
  memory_ = Buffer(bytes, "session scratch");
  Arena arena(memory_);
  scratch_ = std::make_unique<Scratch>(plan(arena, *model_, options));
}

Session::~Session() = default;

void Session::encode_images(const ImageBatch& images, std::span<float> out, const EmbedOptions& options) {
  const OccupiedSession occupied(busy_);
  const Vit* vision = model_->vision();
  if (vision == nullptr) invalid("images", "a model with its image tower loaded", "none");
  const VisionConfig& c = vision->config();
  const int64_t width = model_->embedding_width();
  if (images.count < 0 || static_cast<int64_t>(out.size()) != images.count * width)
    invalid("out", std::to_string(images.count * width) + " floats", std::to_string(out.size()));
  if (images.u8 && (c.num_channels != 3 || images.table == nullptr))
    invalid("images", "a table, and a model of 3 channels, for byte pixels",
            std::to_string(c.num_channels) + " channels");
  Stop stop(options.cancel, options.deadline);
  const int64_t per_slice = scratch_->rows / c.tokens();
  const int64_t image_bytes =
      c.image_size * c.image_size * c.num_channels * (images.u8 ? 1 : static_cast<int64_t>(sizeof(float)));
  for (int64_t first = 0; first < images.count; first += per_slice) {
    ImageBatch slice = images;
    slice.pixels = static_cast<const char*>(images.pixels) + first * image_bytes;
    slice.count = std::min(per_slice, images.count - first);
    encode_image_slice(slice, out.data() + first * width, options, stop);
    throw_if_stopped(stop);
  }
}

void Session::encode_image_slice(const ImageBatch& images, float* out, const EmbedOptions& options, Stop& stop) {
  const Vit& vision = *model_->vision();
  const VisionConfig& c = vision.config();
  const int64_t tokens = c.tokens();
  Scratch& s = *scratch_;
  for (int64_t i = 0; i < images.count; ++i) {
    s.every_token[i] = {i * tokens, tokens, i * tokens, tokens};
    s.first_token[i] = {i, 1, i * tokens, tokens};
  }
  const size_t count = static_cast<size_t>(images.count);
  const ImageRows rows{{s.every_token, count}, {s.first_token, count}};
  const PatchSource pixels{images.pixels, images.u8,      images.table, c.image_size,
                           c.image_size,  c.num_channels, c.patch_size};
  const Tensor result = matrix(out, images.count, model_->embedding_width());
  run(s.ops, options, c.num_hidden_layers, [&](Exec& ex) {
    const Tensor pooled = vision.forward(ex, s.vision, pixels, rows, stop, options.capture);
    if (stop.stopped()) return;
    const Tap tap{options.capture, "image"};
    ex.enter("vision");
    project(ex, result, pooled, model_->image_projection());
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
  if (model_->text() == nullptr) invalid("texts", "a model with its text tower loaded", "none");
  check(texts);
  const int64_t count = static_cast<int64_t>(texts.offsets.size()) - 1, width = model_->embedding_width();
  if (static_cast<int64_t>(out.size()) != count * width)
    invalid("out", std::to_string(count * width) + " floats", std::to_string(out.size()));
  Stop stop(options.cancel, options.deadline);
  const int64_t* offsets = texts.offsets.data();
  for (int64_t first = 0; first < count;) {
    int64_t end = first + 1;
    while (end < count && offsets[end + 1] - offsets[first] <= scratch_->rows) ++end;
    encode_text_slice(texts, first, end - first, out.data() + first * width, options, stop);
    throw_if_stopped(stop);
    first = end;
  }
}

void Session::encode_text_slice(const TextBatch& texts, int64_t first, int64_t count, float* out,
                                const EmbedOptions& options, Stop& stop) {
  Scratch& s = *scratch_;
  const int64_t begin = texts.offsets[static_cast<size_t>(first)];
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = texts.offsets[static_cast<size_t>(first + i)] - begin;
    const int64_t length = texts.offsets[static_cast<size_t>(first + i + 1)] - begin - row;
    s.every_token[i] = {row, length, row, length};
    s.first_token[i] = {i, 1, row, length};
    s.first_rows[i] = row;
    for (int64_t t = 0; t < length; ++t) s.positions[row + t] = static_cast<int32_t>(t);
  }
  const size_t n = static_cast<size_t>(count);
  const PackedTexts packed{
      .ids = texts.ids.data() + begin,
      .type_ids = texts.type_ids.empty() ? s.type_zeros : texts.type_ids.data() + begin,
      .position_ids = texts.position_ids.empty() ? s.positions : texts.position_ids.data() + begin,
      .tokens = texts.offsets[static_cast<size_t>(first + count)] - begin,
      .every_token = {s.every_token, n},
      .first_token = {s.first_token, n},
      .first_rows = {s.first_rows, n},
  };
  const Tensor result = matrix(out, count, model_->embedding_width());
  run(s.ops, options, model_->text()->config().num_hidden_layers, [&](Exec& ex) {
    const Tensor pooled = model_->text()->forward(ex, s.text, packed, stop, options.capture);
    if (stop.stopped()) return;
    const Tap tap{options.capture, "text"};
    ex.enter(tap.tower);
    project(ex, result, pooled, model_->text_projection());
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
