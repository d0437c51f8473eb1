#include "io/safetensors_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "io/json_text.h"
#include "io/stored_tensor.h"

namespace tw {
namespace {

constexpr size_t kMaxDepth = 8;
constexpr std::array<std::string_view, 3> kEntryKeys = {"dtype", "shape", "data_offsets"};
constexpr std::string_view kMetadata = "__metadata__";

// Builds entries from parse events instead of a tree, because a tree keeps only one of two equal keys. Every value must
// be the type the format asks for; numbers must be written as unsigned integers ("4", not "4.0", "4e0" or "-0").
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  // `bytes` of text: an entry takes six at least, ("":{},), so that entries stay where they are.
  HeaderHandler(const std::string& file, size_t bytes) : file_(file) {
    const size_t most = std::min(static_cast<size_t>(kMaxTensors), bytes / 6 + 1);
    entries.reserve(most);
    names_.reserve(most);
  }

  std::vector<SafetensorsEntry> entries;
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
      if (names_.contains(key_)) fail_duplicate();
    } else if (state_ == State::entry) {
      const size_t known = entry_key();
      if (known < kEntryKeys.size() ? std::exchange(seen_[known], true) : !other_keys_.insert(key_).second)
        fail_duplicate();
    }
    return true;
  }

  bool start_object(size_t) override {
    enter();
    if (state_ == State::before) {
      state_ = State::top;
    } else if (state_ == State::top && key_ == kMetadata) {
      names_.insert(kMetadata);
      state_ = State::metadata;
    } else if (state_ == State::top) {
      if (static_cast<int64_t>(entries.size()) == kMaxTensors)
        fail(ErrorCode::limit_exceeded, "at most " + std::to_string(kMaxTensors) + " tensors", "more");
      entries.push_back({.name = key_, .dtype = {}, .shape = {}, .data_offsets = {}});
      names_.insert(entries.back().name);
      seen_ = {};
      other_keys_.clear();
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
      for (size_t i = 0; i < kEntryKeys.size(); ++i)
        if (!seen_[i]) fail(ErrorCode::malformed, "key " + std::string(kEntryKeys[i]), "none");
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

  // Which of kEntryKeys the last key is; their number if none.
  size_t entry_key() const {
    return static_cast<size_t>(std::find(kEntryKeys.begin(), kEntryKeys.end(), key_) - kEntryKeys.begin());
  }
  bool is_entry_key() const { return entry_key() < kEntryKeys.size(); }

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
  std::string key_;                                // the last key seen
  std::string field_;                              // the last key of the top level
  std::unordered_set<std::string_view> names_;     // of entries, which stay where they are, and kMetadata
  std::array<bool, kEntryKeys.size()> seen_ = {};  // of the entry at hand
  std::unordered_set<std::string> other_keys_;     // of the entry at hand
  size_t depth_ = 0;
  size_t ignored_from_ = 0;
};

}  // namespace

SafetensorsJson parse_safetensors_json(std::string_view text, const std::string& file) {
  require_json_object_text(text, file, "header");
  HeaderHandler handler(file, text.size());
  nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
  return {std::move(handler.entries), std::move(handler.metadata)};
}

}  // namespace tw
