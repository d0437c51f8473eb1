// Embeddings of pictures, pixel values, texts and token ids.
#include <algorithm>
#include <chrono>

#include "api/boundary.h"
#include "api/handles.h"
#include "api/occupied.h"
#include "api/pictures.h"
#include "api/texts.h"

namespace tw {
namespace {

constexpr size_t kTextsWorthThreads = 64;  // fewer are tokenized on the calling thread

// One encode call: holds the session, reads the options, checks the output, and ends the capture.
class EncodeCall {
 public:
  EncodeCall(tuwen_session* session, const tuwen_encode_options* given, float* out, size_t count)
      : session_(not_null(session, "session")), occupied_(session_.busy), given_(read_options(given, "options")) {
    check_reserved(given_.reserved, "options");
    check_embeddings(model());
    checked_choice(given_.raw, 1, "options.raw");
    checked_choice(given_.truncate, 1, "options.truncate");
    if (!(given_.timeout_seconds >= 0)) {
      throw_argument("options.timeout_seconds", "0 or more", std::to_string(given_.timeout_seconds));
    }
    if (count > 0) not_null(out, "embeddings");
    if (count > static_cast<size_t>(INT64_MAX / 8) / width()) {
      throw_argument("count", "a size that fits into memory", std::to_string(count));
    }
    out_ = {out, count * width()};
    session_.cancel.store(false, std::memory_order_relaxed);
    if (given_.capture != nullptr) given_.capture->capture = Capture(given_.capture->prefix);
    if (given_.profile != nullptr) given_.profile->profile.clear();
  }

  EmbedOptions options() const {
    EmbedOptions options;
    options.normalize = given_.raw == 0;
    options.capture = given_.capture == nullptr ? nullptr : &given_.capture->capture;
    options.profile = given_.profile == nullptr ? nullptr : &given_.profile->profile;
    options.cancel = &session_.cancel;
    constexpr double kLongest = 1e8;  // seconds; three years
    if (given_.timeout_seconds > 0) {
      const std::chrono::duration<double> limit(std::min(given_.timeout_seconds, kLongest));
      options.deadline = Stop::Clock::now() + std::chrono::duration_cast<Stop::Clock::duration>(limit);
    }
    return options;
  }
  void finish() const {
    if (given_.capture == nullptr || !given_.capture->capture.out_of_memory()) return;
    throw Error(ErrorCode::out_of_memory, {.field = "options.capture", .note = "the intermediates did not fit"});
  }

  Session& session() const { return session_.session; }
  const ChineseClip& model() const { return *session_.loaded->clip; }
  const BertTokenizer& tokenizer() const {
    check_processor();
    return session_.loaded->processor->tokenizer;
  }
  const ImageProcessor& encoder_input() const {
    check_processor();
    return *session_.loaded->encoder_input;
  }
  // Pictures come to the session as bytes of the model's size, whatever theirs is.
  bool takes_bytes(int32_t side) const {
    const auto& input = session_.loaded->encoder_input;
    return input.has_value() && allows_patches_from_bytes(input->options(), side);
  }
  PictureMemory& pictures() const { return session_.pictures; }
  size_t width() const { return static_cast<size_t>(session_.session.model().embedding_width()); }
  std::span<float> out() const { return out_; }
  bool truncate() const { return given_.truncate == 1; }

 private:
  void check_processor() const {
    if (session_.loaded->processor.has_value()) return;
    throw Error(ErrorCode::invalid_argument,
                {.field = "session", .note = "its model was loaded without tokenizer and image processor"});
  }

  tuwen_session& session_;
  Occupied occupied_;
  tuwen_encode_options given_;
  std::span<float> out_;
};

void encode_pictures(const EncodeCall& call, const PictureList& pictures, size_t count) {
  const PictureSource source{
      .get = [&](int64_t i, Image& memory) -> const Image& { return pictures.get(static_cast<size_t>(i), memory); },
      .name = [&](int64_t i) { return pictures.name(static_cast<size_t>(i)); }};
  encode_pictures(call.session(), call.encoder_input(), source, static_cast<int64_t>(count), call.pictures(),
                  call.out(), call.options());
  call.finish();
}

// The longest text that the position table holds.
int64_t longest_text(const ChineseClip& model) { return model.config().text.max_position_embeddings; }

void check_lengths(const EncodedBatch& batch, int64_t longest) {
  for (int64_t r = 0; r < batch.rows(); ++r) {
    if (batch.length(r) <= longest) continue;
    throw Error(ErrorCode::invalid_argument, {.file = "text[" + std::to_string(r) + "]",
                                              .field = "length",
                                              .expected = "at most " + std::to_string(longest) + " tokens",
                                              .found = std::to_string(batch.length(r)),
                                              .note = "options.truncate cuts it"});
  }
}

// What Session cannot say in terms of this interface: rows lie back to back, from 0 on.
void check_row_begin(const int64_t* row_begin, size_t count) {
  int64_t least = 0;
  for (size_t r = 0; r <= count; ++r) {
    if (row_begin[r] < least || (r == 0 && row_begin[r] != 0)) {
      throw_argument("row_begin[" + std::to_string(r) + "]", r == 0 ? "0" : std::to_string(least) + " or more",
                     std::to_string(row_begin[r]));
    }
    least = row_begin[r];
  }
}

// Black pictures, as encode_pictures() and as tuwen_encode_pixels() give them to the session.
void encode_black(const EncodeCall& call, size_t count) {
  const VisionConfig& v = call.model().config().vision;
  const std::vector<float> values(count * static_cast<size_t>(v.num_channels * v.image_size * v.image_size));
  const auto items = static_cast<int64_t>(count);
  const std::span<float> out = call.out().first(count * call.width());
  call.session().encode_images({.pixels = values.data(), .count = items}, out, call.options());
  const auto side = static_cast<int32_t>(v.image_size);
  if (v.num_channels != 3 || !call.takes_bytes(side)) return;
  Image black{side, side, {}};
  black.rgb.resize(static_cast<size_t>(side) * static_cast<size_t>(side) * 3);
  const PictureSource source{.get = [&](int64_t, Image&) -> const Image& { return black; },
                             .name = [](int64_t) { return "black"; }};
  encode_pictures(call.session(), call.encoder_input(), source, items, call.pictures(), out, call.options());
}

// Texts of `tokens` times the first token.
void encode_equal_tokens(const EncodeCall& call, size_t count, size_t tokens) {
  const std::vector<int32_t> ids(count * tokens);
  std::vector<int64_t> offsets(count + 1);
  for (size_t i = 0; i <= count; ++i) offsets[i] = static_cast<int64_t>(i * tokens);
  call.session().encode_texts({.ids = ids, .offsets = offsets}, call.out().first(count * call.width()), call.options());
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_session_warm_up(tuwen_session* session, size_t images, size_t texts, size_t tokens) {
  return guarded([&] {
    constexpr size_t kMost = 1 << 20;
    const auto check = [](const char* name, size_t value, size_t least, size_t most) {
      if (value >= least && value <= most) return;
      throw_argument(name, std::to_string(least) + " to " + std::to_string(most), std::to_string(value));
    };
    const ChineseClip& model = *not_null(session, "session").loaded->clip;
    check("images", images, 0, kMost);
    check("texts", texts, 0, kMost);
    if (texts > 0) check("tokens", tokens, 1, static_cast<size_t>(longest_text(model)));
    std::vector<float> out(std::max(images, texts) * static_cast<size_t>(model.embedding_width()));
    const EncodeCall call(session, nullptr, out.data(), std::max(images, texts));
    for (int times = 0; times < 2; ++times) {  // a device records the second of a shape
      if (images > 0) encode_black(call, images);
      if (texts > 0) encode_equal_tokens(call, texts, tokens);
    }
  });
}

tuwen_status tuwen_encode_images(tuwen_session* session, const tuwen_image* const* images, size_t count,
                                 const tuwen_encode_options* options, float* embeddings) {
  return guarded([&] {
    const EncodeCall call(session, options, embeddings, count);
    if (count > 0) not_null(images, "images");
    encode_pictures(call, {.images = images}, count);
  });
}

tuwen_status tuwen_encode_image_files(tuwen_session* session, const char* const* paths, size_t count,
                                      const tuwen_image_options* limits, const tuwen_encode_options* options,
                                      float* embeddings) {
  return guarded([&] {
    const EncodeCall call(session, options, embeddings, count);
    if (count > 0) not_null(paths, "paths");
    encode_pictures(call, {.paths = paths, .limits = read_limits(limits)}, count);
  });
}

tuwen_status tuwen_encode_image_buffers(tuwen_session* session, const void* const* files, const size_t* sizes,
                                        size_t count, const tuwen_image_options* limits,
                                        const tuwen_encode_options* options, float* embeddings) {
  return guarded([&] {
    const EncodeCall call(session, options, embeddings, count);
    if (count > 0) not_null(files, "files"), not_null(sizes, "sizes");
    encode_pictures(call, {.files = files, .sizes = sizes, .limits = read_limits(limits)}, count);
  });
}

tuwen_status tuwen_encode_pixels(tuwen_session* session, const float* pixel_values, size_t size, size_t count,
                                 const tuwen_encode_options* options, float* embeddings) {
  return guarded([&] {
    const EncodeCall call(session, options, embeddings, count);
    const VisionConfig& v = call.model().config().vision;
    const size_t each = static_cast<size_t>(v.num_channels * v.image_size * v.image_size);
    if (count > SIZE_MAX / each || size != count * each) {
      throw_argument("pixel_values", std::to_string(count) + " times " + std::to_string(each) + " floats",
                     std::to_string(size));
    }
    if (count > 0) not_null(pixel_values, "pixel_values");
    const ImageBatch batch{.pixels = pixel_values, .count = static_cast<int64_t>(count)};
    call.session().encode_images(batch, call.out(), call.options());
    call.finish();
  });
}

tuwen_status tuwen_encode_tokens(tuwen_session* session, const int32_t* ids, const int32_t* type_ids,
                                 const int64_t* row_begin, size_t count, const tuwen_encode_options* options,
                                 float* embeddings) {
  return guarded([&] {
    const EncodeCall call(session, options, embeddings, count);
    not_null(row_begin, "row_begin");
    check_row_begin(row_begin, count);
    const int64_t total = row_begin[count];
    if (total > 0) not_null(ids, "ids");
    const auto tokens = static_cast<size_t>(total);
    TextBatch batch{.ids = {ids, tokens}, .offsets = {row_begin, count + 1}};
    if (type_ids != nullptr) batch.type_ids = {type_ids, tokens};
    call.session().encode_texts(batch, call.out(), call.options());
    call.finish();
  });
}

tuwen_status tuwen_encode_texts(tuwen_session* session, const tuwen_text* texts, size_t count,
                                const tuwen_encode_options* options, float* embeddings) {
  return guarded([&] {
    const EncodeCall call(session, options, embeddings, count);
    const int64_t longest = longest_text(call.model());
    EncodeOptions how;
    how.truncation = Truncation::none;
    if (call.truncate()) {
      how.truncation = Truncation::longest_first;
      how.max_length = longest;
    }
    const auto inputs = inputs_of(texts, nullptr, count);
    const int threads = count < kTextsWorthThreads ? 1 : call.session().threads();
    const EncodedBatch batch = call.tokenizer().encode_batch(inputs, how, threads);
    check_lengths(batch, longest);
    call.session().encode_texts({.ids = batch.ids, .offsets = batch.row_begin}, call.out(), call.options());
    call.finish();
  });
}
