#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/checked_math.h"
#include "core/error.h"
#include "io/json_text.h"
#include "io/tensor_reader.h"

namespace tw {
namespace {

constexpr size_t kMaxDepth = 8;

struct Entry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<int64_t> data_offsets;
};

// Builds entries from parse events instead of a tree, because a tree keeps only one of two equal keys. Every value must
// be the type the format asks for; numbers must be written as unsigned integers ("4", not "4.0", "4e0" or "-0").
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderHandler(const std::string& file) : file_(file) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("a boolean"); }
  bool number_integer(number_integer_t) override { return value("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return value("a number that is no 64-bit integer"); }
  bool binary(binary_t&) override { return value("binary"); }

  bool number_unsigned(number_unsigned_t number) override {
    if (state_ != State::numbers) return value("a number");
    if (number > static_cast<uint64_t>(INT64_MAX)) return value("a number above 2^63 - 1");
    std::vector<int64_t>& list = key_ == "shape" ? entries.back().shape : entries.back().data_offsets;
    if (list.size() == static_cast<size_t>(kMaxRank))
      fail(ErrorCode::limit_exceeded, "at most " + std::to_string(kMaxRank) + " numbers", "more");
    list.push_back(static_cast<int64_t>(number));
    return true;
  }

  bool string(string_t& text) override {
    if (state_ == State::metadata) {
      if (!metadata.emplace(key_, std::move(text)).second) fail_duplicate();
    } else if (state_ == State::entry && key_ == "dtype") {
      entries.back().dtype = std::move(text);
    } else {
      return value("a string");
    }
    return true;
  }

  bool key(string_t& text) override {
    if (state_ == State::ignored) return true;
    key_ = std::move(text);
    if (state_ == State::top) {
      field_ = key_;
      if (static_cast<int64_t>(key_.size()) > kMaxNameBytes)
        fail(ErrorCode::limit_exceeded, "a name of at most 512 bytes", std::to_string(key_.size()));
      if (!names_.insert(key_).second) fail_duplicate();
    } else if (state_ == State::entry) {
      if (!entry_keys_.insert(key_).second) fail_duplicate();
    }
    return true;
  }

  bool start_object(size_t) override {
    enter();
    if (state_ == State::before) {
      state_ = State::top;
    } else if (state_ == State::top && key_ == "__metadata__") {
      state_ = State::metadata;
    } else if (state_ == State::top) {
      if (static_cast<int64_t>(entries.size()) == kMaxTensors)
        fail(ErrorCode::limit_exceeded, "at most " + std::to_string(kMaxTensors) + " tensors", "more");
      entries.push_back({.name = key_, .dtype = {}, .shape = {}, .data_offsets = {}});
      entry_keys_.clear();
      state_ = State::entry;
    } else if (state_ == State::entry && !is_entry_key()) {
      ignore();
    } else if (state_ != State::ignored) {
      return value("an object");
    }
    return true;
  }

  bool end_object() override {
    --depth_;
    if (state_ == State::entry) {
      for (const char* wanted : {"dtype", "shape", "data_offsets"})
        if (!entry_keys_.contains(wanted)) fail(ErrorCode::malformed, std::string("key ") + wanted, "none");
      state_ = State::top;
    } else if (state_ == State::metadata) {
      state_ = State::top;
    } else {
      leave_ignored();
    }
    return true;
  }

  bool start_array(size_t) override {
    enter();
    if (state_ == State::entry && (key_ == "shape" || key_ == "data_offsets")) {
      state_ = State::numbers;
    } else if (state_ == State::entry && !is_entry_key()) {
      ignore();
    } else if (state_ != State::ignored) {
      return value("an array");
    }
    return true;
  }

  bool end_array() override {
    --depth_;
    if (state_ == State::numbers) {
      state_ = State::entry;
    } else {
      leave_ignored();
    }
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(ErrorCode::malformed,
                {.file = file_, .field = "header byte " + std::to_string(position), .note = "not valid JSON in UTF-8"});
  }

 private:
  enum class State { before, top, metadata, entry, numbers, ignored };

  bool is_entry_key() const { return key_ == "dtype" || key_ == "shape" || key_ == "data_offsets"; }

  // A value of a type that has no place here: an error, unless it belongs to an unknown key of an entry.
  bool value(const std::string& found) {
    if (state_ == State::ignored || (state_ == State::entry && !is_entry_key())) return true;
    fail(ErrorCode::malformed,
         state_ == State::metadata                   ? "a string"
         : state_ == State::numbers                  ? "an unsigned integer"
         : state_ == State::entry && key_ == "dtype" ? "a string"
         : state_ == State::entry                    ? "an array"
                                                     : "an object",
         found);
  }

  void enter() {
    if (++depth_ > kMaxDepth)
      fail(ErrorCode::limit_exceeded, "JSON nested at most " + std::to_string(kMaxDepth) + " deep", "more");
  }

  void ignore() {
    state_ = State::ignored;
    ignored_from_ = depth_;
  }

  void leave_ignored() {
    if (state_ == State::ignored && depth_ < ignored_from_) state_ = State::entry;
  }

  [[noreturn]] void fail_duplicate() { fail(ErrorCode::malformed, "each key once", "it twice"); }

  [[noreturn]] void fail(ErrorCode code, const std::string& expected, const std::string& found) {
    std::string field = "header";
    if (state_ != State::before && !field_.empty()) field = tensor_field(field_);
    if (state_ == State::metadata) field = "__metadata__";
    if (state_ == State::entry || state_ == State::numbers || state_ == State::metadata)
      field += ": " + printable(key_);
    throw Error(code, {.file = file_, .field = field, .expected = expected, .found = found});
  }

  const std::string& file_;
  State state_ = State::before;
  std::string key_;    // the last key seen
  std::string field_;  // the last key of the top level
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> entry_keys_;
  size_t depth_ = 0;
  size_t ignored_from_ = 0;
};

std::optional<DType> dtype_of(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, DType>, 10> kTypes = {{{"F32", DType::f32},
                                                                          {"F16", DType::f16},
                                                                          {"BF16", DType::bf16},
                                                                          {"F64", DType::f64},
                                                                          {"I64", DType::i64},
                                                                          {"I32", DType::i32},
                                                                          {"I16", DType::i16},
                                                                          {"I8", DType::i8},
                                                                          {"U8", DType::u8},
                                                                          {"BOOL", DType::boolean}}};
  for (const auto& [name, dtype] : kTypes)
    if (name == text) return dtype;
  return std::nullopt;
}

struct Checked {
  StoredTensor tensor;
  int64_t begin;
  int64_t end;
};

// Types, shape and byte count of one entry.
Checked check_entry(Entry entry, int64_t data_begin, int64_t data_bytes, const std::string& file) {
  const auto fail = [&](ErrorCode code, const char* key, const std::string& expected, const std::string& found) {
    throw Error(code,
                {.file = file, .field = tensor_field(entry.name) + ": " + key, .expected = expected, .found = found});
  };
  const std::optional<DType> dtype = dtype_of(entry.dtype);
  if (!dtype)
    fail(ErrorCode::unsupported, "dtype", "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL", printable(entry.dtype));
  if (entry.data_offsets.size() != 2)
    fail(ErrorCode::malformed, "data_offsets", "2 numbers", std::to_string(entry.data_offsets.size()));
  const int64_t begin = entry.data_offsets[0];
  const int64_t end = entry.data_offsets[1];
  if (end < begin) fail(ErrorCode::malformed, "data_offsets", "begin <= end", shape_text(entry.data_offsets));
  if (end > data_bytes) {
    fail(ErrorCode::truncated, "data_offsets",
         "at most " + std::to_string(data_bytes) + ", the size of the data section", std::to_string(end));
  }
  const std::optional<int64_t> elements = checked_product(entry.shape);
  const std::optional<int64_t> bytes = elements ? checked_mul(*elements, size_of(*dtype)) : std::nullopt;
  if (!bytes) fail(ErrorCode::malformed, "shape", "a size below 2^63 bytes", shape_text(entry.shape));
  if (*bytes != end - begin) {
    fail(ErrorCode::malformed, "data_offsets",
         std::to_string(*bytes) + " bytes for " + std::string(name(*dtype)) + " " + shape_text(entry.shape),
         std::to_string(end - begin));
  }
  return {{{std::move(entry.name), *dtype, std::move(entry.shape)}, data_begin + begin, {}}, begin, end};
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_begin, int64_t data_bytes,
                                           const std::string& file) {
  require_json_object_text(json, file, "header");
  HeaderHandler handler(file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &handler);

  std::vector<Checked> checked;
  checked.reserve(handler.entries.size());
  for (Entry& entry : handler.entries) checked.push_back(check_entry(std::move(entry), data_begin, data_bytes, file));
  std::stable_sort(checked.begin(), checked.end(), [](const Checked& a, const Checked& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });

  SafetensorsHeader header;
  header.metadata = std::move(handler.metadata);
  header.tensors.reserve(checked.size());
  int64_t covered = 0;
  for (Checked& entry : checked) {
    if (entry.begin != covered) {
      throw Error(ErrorCode::malformed,
                  {.file = file,
                   .field = tensor_field(entry.tensor.info.name) + ": data_offsets",
                   .expected = "a begin of " + std::to_string(covered) + ", where the tensor before it ends",
                   .found = std::to_string(entry.begin)});
    }
    covered = entry.end;
    header.tensors.push_back(std::move(entry.tensor));
  }
  if (covered != data_bytes) {
    throw Error(ErrorCode::malformed, {.file = file,
                                       .field = "data section",
                                       .expected = std::to_string(covered) + " bytes, as the header lists",
                                       .found = std::to_string(data_bytes)});
  }
  return header;
}

SafetensorsHeader read_safetensors_header(const File& file) {
  constexpr int64_t kPrefix = 8;
  if (file.size() < kPrefix) {
    throw Error(
        ErrorCode::truncated,
        {.file = file.path(), .field = "header length", .expected = "8 bytes", .found = std::to_string(file.size())});
  }
  uint64_t length;
  file.read_at(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > static_cast<uint64_t>(kMaxSafetensorsHeader)) {
    throw Error(ErrorCode::limit_exceeded, {.file = file.path(),
                                            .field = "header length",
                                            .expected = "at most " + std::to_string(kMaxSafetensorsHeader),
                                            .found = std::to_string(length)});
  }
  const int64_t data_begin = kPrefix + static_cast<int64_t>(length);
  if (data_begin > file.size()) {
    throw Error(ErrorCode::truncated, {.file = file.path(),
                                       .field = "header",
                                       .expected = std::to_string(length) + " bytes",
                                       .found = std::to_string(file.size() - kPrefix)});
  }
  std::string json(static_cast<size_t>(length), '\0');
  file.read_at(kPrefix, std::as_writable_bytes(std::span(json)));
  return parse_safetensors_header(json, data_begin, file.size() - data_begin, file.path());
}

}  // namespace tw
