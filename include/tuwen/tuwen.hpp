// tuwen: Chinese-CLIP image and text embeddings. Inline C++20 over the C interface; tuwen.h is the manual for what each
// call does, its shapes and units. Here: owning handles, std::span, std::string_view, and exceptions for errors.
//
//   const tuwen::Model model = tuwen::Model::load("chinese-clip-vit-base-patch16");
//   tuwen::Session session(model);
//   const tuwen::Image image = tuwen::Image::read("cat.jpg");
//   const tuwen::Matrix pictures = session.encode_images({&image, 1});
//   const tuwen::Matrix texts = session.encode_texts({{"一只猫", "一只狗"}});
//   const tuwen::Matrix probabilities = tuwen::softmax(session.logits(pictures, texts));
//
// Every function throws tuwen::Error, and std::bad_alloc where the message cannot be had either. Thread safety is that
// of the C handles: const functions may run at the same time, a Session is for one call at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuwen/tuwen.h"

namespace tuwen {

// What went wrong: the parts of tuwen_error, owned.
class Error : public std::runtime_error {
 public:
  explicit Error(const tuwen_error& error)
      : std::runtime_error(error.message),
        status_(error.status),
        file_(error.file),
        field_(error.field),
        expected_(error.expected),
        found_(error.found),
        note_(error.note) {}

  tuwen_status status() const { return status_; }
  const std::string& file() const { return file_; }
  const std::string& field() const { return field_; }
  const std::string& expected() const { return expected_; }
  const std::string& found() const { return found_; }
  const std::string& note() const { return note_; }

 private:
  tuwen_status status_;
  std::string file_, field_, expected_, found_, note_;
};

// Throws the calling thread's last error unless `status` is TUWEN_OK.
inline void check(tuwen_status status) {
  if (status != TUWEN_OK) throw Error(*tuwen_last_error());
}

// An option or info struct of the C interface with its size set and every other field zero.
template <class T>
T make() {
  T value = {};
  value.struct_size = sizeof(T);
  return value;
}

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};

// Rows of equal length: embeddings, logits, probabilities.
struct Matrix {
  Matrix() = default;
  Matrix(size_t row_count, size_t column_count)
      : rows(row_count), columns(column_count), data(row_count * column_count) {}

  std::span<const float> row(size_t r) const { return std::span(data).subspan(r * columns, columns); }
  std::span<float> row(size_t r) { return std::span(data).subspan(r * columns, columns); }
  float operator()(size_t r, size_t c) const { return data[r * columns + c]; }

  size_t rows = 0, columns = 0;
  std::vector<float> data;  // row-major
};

// Views of a list of strings, as the C interface takes them.
class Texts {
 public:
  Texts(std::initializer_list<std::string_view> texts) : Texts(std::span(texts.begin(), texts.size())) {}
  template <class Text>
  Texts(const std::vector<Text>& texts) : Texts(std::span(texts)) {}
  template <class Text, size_t Extent>
  Texts(std::span<Text, Extent> texts) {
    views_.reserve(texts.size());
    for (const std::string_view text : texts) views_.push_back({text.data(), text.size()});
  }

  const tuwen_text* data() const { return views_.data(); }
  size_t size() const { return views_.size(); }

 private:
  std::vector<tuwen_text> views_;
};

// A decoded picture, RGB, 8 bits a channel. Immutable.
class Image {
 public:
  static Image read(const std::string& path, const tuwen_image_options* options = nullptr) {
    tuwen_image* image = nullptr;
    check(tuwen_image_read(path.c_str(), options, &image));
    return Image(image);
  }
  static Image decode(std::span<const std::byte> bytes, const tuwen_image_options* options = nullptr) {
    tuwen_image* image = nullptr;
    check(tuwen_image_decode(bytes.data(), bytes.size(), options, &image));
    return Image(image);
  }
  // Copies `pixels.height` rows; `size` bytes lie behind pixels.data.
  static Image from_pixels(const tuwen_pixels& pixels, size_t size) {
    tuwen_image* image = nullptr;
    check(tuwen_image_from_pixels(&pixels, size, &image));
    return Image(image);
  }

  tuwen_pixels pixels() const {
    tuwen_pixels pixels = {};
    check(tuwen_image_get(get(), &pixels));
    return pixels;
  }
  const tuwen_image* get() const { return handle_.get(); }

 private:
  explicit Image(tuwen_image* image) : handle_(image) {}
  std::unique_ptr<tuwen_image, Deleter<tuwen_image_free>> handle_;
};

// Token ids of a batch of texts. Immutable.
class Tokens {
 public:
  explicit Tokens(tuwen_tokens* tokens) : handle_(tokens) { check(tuwen_tokens_get(tokens, &view_)); }

  size_t rows() const { return view_.rows; }
  std::span<const int32_t> ids(size_t r) const { return part(view_.ids, r, 1); }
  std::span<const int32_t> type_ids(size_t r) const { return part(view_.type_ids, r, 1); }
  std::span<const int32_t> attention_mask(size_t r) const { return part(view_.attention_mask, r, 1); }
  std::span<const int32_t> special_tokens_mask(size_t r) const { return part(view_.special_tokens_mask, r, 1); }
  // begin, end, begin, end ... in characters
  std::span<const uint32_t> offsets(size_t r) const { return part(view_.offsets, r, 2); }
  const tuwen_tokens_view& view() const { return view_; }

 private:
  template <class T>
  std::span<const T> part(const T* array, size_t r, int64_t each) const {
    const int64_t begin = view_.row_begin[r], end = view_.row_begin[r + 1];
    return {array + begin * each, static_cast<size_t>((end - begin) * each)};
  }

  std::unique_ptr<tuwen_tokens, Deleter<tuwen_tokens_free>> handle_;
  tuwen_tokens_view view_ = {};
};

// The calls that need a processor, whoever owns it. A Model gives one that lives as long as the Model.
class ProcessorView {
 public:
  explicit ProcessorView(const tuwen_processor* processor) : processor_(processor) {}

  Tokens tokenize(const Texts& texts, const tuwen_tokenize_options* options = nullptr) const {
    tuwen_tokens* tokens = nullptr;
    check(tuwen_tokenize(processor_, texts.data(), nullptr, texts.size(), options, &tokens));
    return Tokens(tokens);
  }
  // texts and pairs of equal number
  Tokens tokenize_pairs(const Texts& texts, const Texts& pairs, const tuwen_tokenize_options* options = nullptr) const {
    if (texts.size() != pairs.size()) throw std::invalid_argument("tokenize_pairs: texts and pairs differ in number");
    tuwen_tokens* tokens = nullptr;
    check(tuwen_tokenize(processor_, texts.data(), pairs.data(), texts.size(), options, &tokens));
    return Tokens(tokens);
  }
  // Lives as long as the processor.
  std::string_view token(int32_t id) const {
    tuwen_text text = {};
    check(tuwen_token_text(processor_, id, &text));
    return {text.data, text.size};
  }
  // -1 if there is no such token
  int32_t token_id(std::string_view token) const {
    int32_t id = -1;
    check(tuwen_token_id(processor_, {token.data(), token.size()}, &id));
    return id;
  }
  std::string decode(std::span<const int32_t> ids, uint32_t flags = 0) const {
    size_t size = 0;
    check(tuwen_decode(processor_, ids.data(), ids.size(), flags, nullptr, 0, &size));
    std::string text(size, '\0');
    check(tuwen_decode(processor_, ids.data(), ids.size(), flags, text.data(), text.size(), &size));
    return text;
  }

  tuwen_preprocess_options preprocess_options() const {
    auto options = make<tuwen_preprocess_options>();
    check(tuwen_processor_get_preprocess(processor_, &options));
    return options;
  }
  // {height, width}
  std::pair<int64_t, int64_t> preprocess_size(const Image& image,
                                              const tuwen_preprocess_options* options = nullptr) const {
    int64_t height = 0, width = 0;
    check(tuwen_preprocess_size(processor_, image.get(), options, &height, &width));
    return {height, width};
  }
  // One row a picture: [3, height, width] or channels last.
  Matrix preprocess(std::span<const Image> images, const tuwen_preprocess_options* options = nullptr) const {
    if (images.empty()) return {};
    const auto [height, width] = preprocess_size(images[0], options);
    Matrix out(images.size(), static_cast<size_t>(3 * height * width));
    const auto handles = handles_of(images);
    check(tuwen_preprocess(processor_, handles.data(), handles.size(), options, out.data.data(), out.data.size()));
    return out;
  }
  tuwen_processor_info info() const {
    auto info = make<tuwen_processor_info>();
    check(tuwen_processor_get_info(processor_, &info));
    return info;
  }
  const tuwen_processor* get() const { return processor_; }

  static std::vector<const tuwen_image*> handles_of(std::span<const Image> images) {
    std::vector<const tuwen_image*> handles;
    handles.reserve(images.size());
    for (const Image& image : images) handles.push_back(image.get());
    return handles;
  }

 private:
  const tuwen_processor* processor_;
};

// Tokenizer and image options of a model directory, without its weights. Immutable.
class Processor : public ProcessorView {
 public:
  static Processor load(const std::string& directory) {
    tuwen_processor* processor = nullptr;
    check(tuwen_processor_load(directory.c_str(), &processor));
    return Processor(processor);
  }

 private:
  explicit Processor(tuwen_processor* processor) : ProcessorView(processor), handle_(processor) {}
  std::unique_ptr<tuwen_processor, Deleter<tuwen_processor_free>> handle_;
};

// Weights, configuration and processor. Immutable, to be shared by threads.
class Model {
 public:
  static Model load(const std::string& directory, const tuwen_load_options* options = nullptr) {
    tuwen_model* model = nullptr;
    check(tuwen_model_load(directory.c_str(), options, &model));
    return Model(model);
  }
  // Takes over a handle of the C interface.
  static Model adopt(tuwen_model* model) { return Model(model); }
  // tuwen_calibrate().
  static void calibrate(const std::string& directory, const std::string& file, const tuwen_load_options* options) {
    check(tuwen_calibrate(directory.c_str(), options, file.c_str()));
  }
  // What a model directory holds, without loading it.
  static tuwen_model_info inspect(const std::string& directory, const tuwen_load_options* options = nullptr) {
    auto info = make<tuwen_model_info>();
    check(tuwen_model_inspect(directory.c_str(), options, &info));
    return info;
  }

  // Takes over a handle.
  explicit Model(tuwen_model* model) : handle_(model) {}

  tuwen_model_info info() const {
    auto info = make<tuwen_model_info>();
    check(tuwen_model_get_info(get(), &info));
    return info;
  }
  ProcessorView processor() const { return ProcessorView(tuwen_model_processor(get())); }

  const tuwen_model* get() const { return handle_.get(); }

 private:
  std::unique_ptr<tuwen_model, Deleter<tuwen_model_free>> handle_;
};

// Intermediates to take out of an encode call; see tuwen_capture_create for the names.
class Capture {
 public:
  // Those that begin with `prefix`, or with one of several.
  explicit Capture(const std::string& prefix = {}) {
    tuwen_capture* capture = nullptr;
    check(tuwen_capture_create(prefix.c_str(), &capture));
    handle_.reset(capture);
  }
  size_t size() const { return tuwen_capture_count(get()); }
  tuwen_captured at(size_t index) const {
    tuwen_captured captured = {};
    check(tuwen_capture_at(get(), index, &captured));
    return captured;
  }
  tuwen_captured operator[](const std::string& name) const {
    tuwen_captured captured = {};
    check(tuwen_capture_get(get(), name.c_str(), &captured));
    return captured;
  }
  tuwen_capture* get() const { return handle_.get(); }

 private:
  std::unique_ptr<tuwen_capture, Deleter<tuwen_capture_free>> handle_;
};

// Where the time of an encode call goes.
class Profile {
 public:
  Profile() {
    tuwen_profile* profile = nullptr;
    check(tuwen_profile_create(&profile));
    handle_.reset(profile);
  }
  tuwen_profile_info info() const {
    auto info = make<tuwen_profile_info>();
    check(tuwen_profile_get_info(get(), &info));
    return info;
  }
  size_t size() const { return tuwen_profile_count(get()); }
  tuwen_profiled at(size_t index) const {
    auto operation = make<tuwen_profiled>();
    check(tuwen_profile_at(get(), index, &operation));
    return operation;
  }
  tuwen_profile* get() const { return handle_.get(); }

 private:
  std::unique_ptr<tuwen_profile, Deleter<tuwen_profile_free>> handle_;
};

// What is missing for sessions on `device` ("cpu", "cuda", "cuda:1"), in one sentence; empty if nothing is. Throws for
// what is no device's name.
inline std::string missing_for(const std::string& device) {
  const tuwen_status status = tuwen_device_check(device.c_str());
  if (status != TUWEN_UNSUPPORTED) return check(status), std::string();
  const Error error(*tuwen_last_error());
  return error.field() + ": expected " + error.expected() + ", found " + error.found();
}

// Scratch memory and threads for one caller at a time. Destroying one that another thread is using is a defect of the
// program: the session is then leaked.
class Session {
 public:
  explicit Session(const Model& model, const tuwen_session_options* options = nullptr)
      : columns_(static_cast<size_t>(model.info().embedding_size)) {
    tuwen_session* session = nullptr;
    check(tuwen_session_create(model.get(), options, &session));
    handle_.reset(session);
  }

  // As tuwen_session_warm_up().
  void warm_up(size_t images, size_t texts, size_t tokens) {
    check(tuwen_session_warm_up(get(), images, texts, tokens));
  }

  // One row a picture or text; normalised unless options->raw.
  Matrix encode_images(std::span<const Image> images, const tuwen_encode_options* options = nullptr) {
    Matrix out(images.size(), columns_);
    const auto handles = ProcessorView::handles_of(images);
    check(tuwen_encode_images(get(), handles.data(), handles.size(), options, out.data.data()));
    return out;
  }
  // Of files, each decoded and forgotten by one of the session's threads.
  Matrix encode_image_files(std::span<const std::string> paths, const tuwen_encode_options* options = nullptr,
                            const tuwen_image_options* limits = nullptr) {
    Matrix out(paths.size(), columns_);
    std::vector<const char*> names;
    names.reserve(paths.size());
    for (const std::string& path : paths) names.push_back(path.c_str());
    check(tuwen_encode_image_files(get(), names.data(), names.size(), limits, options, out.data.data()));
    return out;
  }
  // The same of files that lie in memory.
  Matrix encode_image_buffers(std::span<const std::string> files, const tuwen_encode_options* options = nullptr,
                              const tuwen_image_options* limits = nullptr) {
    Matrix out(files.size(), columns_);
    std::vector<const void*> starts;
    std::vector<size_t> sizes;
    starts.reserve(files.size());
    sizes.reserve(files.size());
    for (const std::string& file : files) starts.push_back(file.data()), sizes.push_back(file.size());
    check(
        tuwen_encode_image_buffers(get(), starts.data(), sizes.data(), files.size(), limits, options, out.data.data()));
    return out;
  }
  Matrix encode_texts(const Texts& texts, const tuwen_encode_options* options = nullptr) {
    Matrix out(texts.size(), columns_);
    check(tuwen_encode_texts(get(), texts.data(), texts.size(), options, out.data.data()));
    return out;
  }
  // Into the caller's memory, allocating nothing. pixel_values [count, 3, S, S], embeddings [count, J].
  void encode_pixels(std::span<const float> pixel_values, std::span<float> embeddings,
                     const tuwen_encode_options* options = nullptr) {
    const size_t count = embeddings.size() / columns_;
    check(tuwen_encode_pixels(get(), pixel_values.data(), pixel_values.size(), count, options, embeddings.data()));
  }
  // ids packed row after row, row_begin [rows + 1], embeddings [rows, J].
  void encode_tokens(std::span<const int32_t> ids, std::span<const int64_t> row_begin, std::span<float> embeddings,
                     const tuwen_encode_options* options = nullptr) {
    if (row_begin.empty() || embeddings.size() != (row_begin.size() - 1) * columns_ ||
        row_begin.back() != static_cast<int64_t>(ids.size())) {
      throw std::invalid_argument("encode_tokens: ids, row_begin and embeddings do not belong together");
    }
    check(tuwen_encode_tokens(get(), ids.data(), nullptr, row_begin.data(), row_begin.size() - 1, options,
                              embeddings.data()));
  }

  // logits_per_image [images, texts] of normalised embeddings.
  Matrix logits(const Matrix& images, const Matrix& texts) {
    if (images.columns != columns_ || texts.columns != columns_) {
      throw std::invalid_argument("logits: rows are not embeddings of this model");
    }
    Matrix out(images.rows, texts.rows);
    check(
        tuwen_logits(get(), images.data.data(), images.rows, texts.data.data(), texts.rows, out.data.data(), nullptr));
    return out;
  }

  // Stops the call that is running, from any thread.
  void cancel() { tuwen_session_cancel(get()); }

  tuwen_session_info info() const {
    auto info = make<tuwen_session_info>();
    check(tuwen_session_get_info(handle_.get(), &info));
    return info;
  }
  tuwen_session* get() { return handle_.get(); }

 private:
  size_t columns_;
  std::unique_ptr<tuwen_session, Deleter<tuwen_session_free>> handle_;
};

// Each row's softmax.
inline Matrix softmax(Matrix logits) {
  check(tuwen_softmax(logits.data.data(), logits.rows, logits.columns, logits.data.data()));
  return logits;
}

inline float contrastive_loss(const Matrix& logits_per_text) {
  if (logits_per_text.rows != logits_per_text.columns) throw std::invalid_argument("contrastive_loss: not square");
  float loss = 0;
  check(tuwen_contrastive_loss(logits_per_text.data.data(), logits_per_text.rows, &loss));
  return loss;
}

// A session's model against goldens of its checkpoint.
class Verification {
 public:
  Verification(Session& session, const std::string& goldens) {
    tuwen_verification* verification = nullptr;
    check(tuwen_verify(session.get(), goldens.c_str(), &verification));
    handle_.reset(verification);
  }
  size_t size() const { return tuwen_verification_count(handle_.get()); }
  tuwen_verified at(size_t index) const {
    auto verified = make<tuwen_verified>();
    check(tuwen_verification_at(handle_.get(), index, &verified));
    return verified;
  }

 private:
  std::unique_ptr<tuwen_verification, Deleter<tuwen_verification_free>> handle_;
};

inline tuwen_system_info system_info() {
  auto info = make<tuwen_system_info>();
  check(tuwen_get_system_info(&info));
  return info;
}

// The results of checking the kernels on this CPU; isa "": all that it runs.
class Selftest {
 public:
  explicit Selftest(uint64_t seed = 1, const std::string& isa = {}) {
    tuwen_selftest* selftest = nullptr;
    check(tuwen_selftest_run(isa.empty() ? nullptr : isa.c_str(), seed, &selftest));
    handle_.reset(selftest);
  }
  size_t size() const { return tuwen_selftest_count(handle_.get()); }
  tuwen_selftest_result at(size_t index) const {
    auto result = make<tuwen_selftest_result>();
    check(tuwen_selftest_at(handle_.get(), index, &result));
    return result;
  }

 private:
  std::unique_ptr<tuwen_selftest, Deleter<tuwen_selftest_free>> handle_;
};

}  // namespace tuwen

#include "tuwen/forward.hpp"  // checkpoints, and the towers with masks, caches, hidden states and attentions
