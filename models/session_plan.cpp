// What a session takes of memory, before it takes it.
#include <algorithm>

#include "core/checked_math.h"
#include "models/session.h"
#include "models/session_scratch.h"

namespace tw {
namespace {

// Tokens in a slice: what is asked for, or one item's.
int64_t rows_in_slice(const ChineseClip& model, const SessionOptions& options) {
  const int64_t text = model.text() != nullptr ? model.text()->config().max_position_embeddings : 0;
  const int64_t image = model.vision() != nullptr ? model.vision()->config().tokens() : 0;
  return std::max({options.max_rows, text, image, int64_t{1}});
}

// Texts or images; on a device, where each has its result in memory that is pinned, no more than there are when texts
// are short.
int64_t items_in_rows(int64_t rows, const SessionOptions& options) {
  constexpr int64_t kShortText = 8;  // tokens
  return options.device ? std::max<int64_t>(1, rows / kShortText) : rows;
}

// The most that SliceInputs of either tower takes.
int64_t slice_input_bytes(const ChineseClip& model, int64_t rows, int64_t items, bool staged) {
  int64_t text = 0, image = 0;
  const auto add = [](int64_t& sum, int64_t count, size_t size) {
    sum += round_up(count * static_cast<int64_t>(size), static_cast<int64_t>(kAlignment));
  };
  for (int64_t* sum : {&text, &image}) {
    add(*sum, items, sizeof(Sequence));  // every token
    add(*sum, items, sizeof(Sequence));  // the first
  }
  add(text, items, sizeof(int64_t));                                            // first rows
  for (int i = 0; i < (staged ? 3 : 2); ++i) add(text, rows, sizeof(int32_t));  // types, positions, staged ids
  if (const Vit* vision = model.vision(); vision != nullptr && staged) {
    const VisionConfig& c = vision->config();
    const int64_t images = rows / c.tokens();
    add(image, 3 * 256, sizeof(float));
    image += std::max(round_up(images * c.num_channels * c.image_size * c.image_size * size_of(DType::f32),
                               static_cast<int64_t>(kAlignment)),
                      takes_pictures(c) ? StagedPictures::staging_bytes(images, c.image_size) : 0);
  }
  return std::max(text, image);
}

}  // namespace

Session::Scratch Session::plan(Arena& arena, const ChineseClip& model, const SessionOptions& options) {
  Scratch s;
  const Bert* text = model.text();
  const Vit* vision = model.vision();
  const int64_t image_tokens = vision != nullptr ? vision->config().tokens() : 0;
  const bool device = static_cast<bool>(options.device);
  const DType type = input_type(model, device);
  s.rows = rows_in_slice(model, options);
  s.items = items_in_rows(s.rows, options);
  const auto plan_text = [&](Arena& a) {
    const DType attention = device ? text->device_attention_type(type) : text->attention_type(type);
    s.text = BertScratch::plan(a, text->config(), s.rows, type, attention);
  };
  const auto plan_vision = [&](Arena& a) {
    const DType attention = device ? vision->device_attention_type(type) : type;
    s.vision = VitScratch::plan(a, vision->config(), s.rows, s.rows / image_tokens, type, attention);
  };
  const auto plan_between = [&](Arena& a) {
    const int64_t bytes = StagedPictures::between_bytes(s.rows / image_tokens, vision->config().image_size);
    s.between = static_cast<uint8_t*>(a.take_bytes(bytes));
  };
  // All of these use the same memory: they never run at once.
  const bool pictures = device && vision != nullptr && takes_pictures(vision->config());
  const auto in_turn = [&](auto use) {
    if (text != nullptr) use(plan_text);
    if (vision != nullptr) use(plan_vision);
    if (pictures) use(plan_between);
  };
  int64_t bytes = 0;
  in_turn([&](const auto& plan) {
    Arena alone;
    plan(alone);
    bytes = std::max(bytes, alone.used());
  });
  if (std::byte* shared = static_cast<std::byte*>(arena.take_bytes(bytes))) {
    in_turn([&](const auto& plan) {
      Arena part(shared, bytes);
      plan(part);
    });
  }
  if (device) {
    s.result = arena.take(s.items, model.embedding_width());
    const int64_t side = pictures ? vision->config().image_size : 0;
    if (pictures) s.pictures = static_cast<uint8_t*>(arena.take_bytes(s.rows / image_tokens * 3 * side * side));
    return s;
  }
  int64_t attention_floats = 0;
  if (text != nullptr) {
    const TextConfig& c = text->config();
    attention_floats = attention_scratch_floats(c.max_position_embeddings, c.head_dim(), text->attention_type(type));
  }
  if (vision != nullptr)
    attention_floats =
        std::max(attention_floats, attention_scratch_floats(image_tokens, vision->config().head_dim(), type));
  s.ops = plan_ops(arena, model, options.threads, attention_floats, s.rows, image_tokens);
  s.inputs_bytes = slice_input_bytes(model, s.rows, s.items, false);
  s.inputs = static_cast<std::byte*>(arena.take_bytes(s.inputs_bytes));
  return s;
}

Session::OpMemory Session::plan_ops(Arena& arena, const ChineseClip& model, int threads, int64_t attention_floats,
                                    int64_t rows, int64_t image_rows) {
  OpMemory m;
  int64_t sums = 0;
  model.for_each_linear([&](const Linear& w) {
    if (w.strassen.bytes() == 0 || image_rows == 0) return;
    sums = std::max(sums, strassen_sums_floats(rows / image_rows, image_rows, w.weights.k()));
    attention_floats = std::max(attention_floats, kStrassenScratch);
  });
  m.attention_floats = attention_floats;
  m.attention = arena.take(std::max(threads, 1), attention_floats).f32();
  if (sums > 0) m.strassen_sums = arena.take(1, sums).f32();
  const bool int8 = model.precision() == Precision::int8, fp8 = model.precision() == Precision::fp8;
  if (!int8 && !fp8) return m;
  int64_t widest = 0;
  model.for_each_linear([&](const Linear& w) { widest = std::max(widest, w.weights.k()); });
  if (int8 && model.vision() != nullptr) widest = std::max(widest, model.vision()->values_of_patch());
  if (fp8) {
    m.quantized =
        static_cast<uint8_t*>(arena.take_bytes(rows * activation_stride(widest, DType::bf16) * size_of(DType::bf16)));
  } else {
    m.quantized = static_cast<uint8_t*>(arena.take_bytes(rows * quantized_stride(widest)));
    m.quantized_scale = arena.take(1, rows).f32();
    m.quantized_zero = static_cast<int32_t*>(arena.take_bytes(rows * static_cast<int64_t>(sizeof(int32_t))));
  }
  return m;
}

SessionDevice::Sizes Session::device_sizes(const ChineseClip& model, const SessionOptions& options) {
  Arena measure;
  plan(measure, model, options);
  const int64_t rows = rows_in_slice(model, options), items = items_in_rows(rows, options);
  return {.scratch = measure.used(),
          .inputs = slice_input_bytes(model, rows, items, true),
          .results = items * model.embedding_width() * size_of(DType::f32),
          .workspace = model.may_use_library(options.device) ? BlasLtProduct::kWorkspace : 0};
}

int64_t Session::scratch_bytes(const ChineseClip& model, const SessionOptions& options) {
  if (options.device) return device_sizes(model, options).total();
  Arena measure;
  plan(measure, model, options);
  return measure.used();
}

}  // namespace tw
