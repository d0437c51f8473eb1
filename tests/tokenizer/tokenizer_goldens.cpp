#include "tests/tokenizer/tokenizer_goldens.h"

#include <algorithm>
#include <initializer_list>

namespace tw::test {
namespace {

using nlohmann::json;

// Position of the option's value in a list of names; 0 if the option is not there.
int choice(const json& options, const char* key, std::initializer_list<const char*> names) {
  if (!options.contains(key)) return 0;
  const auto found = std::ranges::find(names, options.at(key).get<std::string>());
  if (found == names.end()) throw std::invalid_argument(std::string("unknown value of ") + key);
  return static_cast<int>(found - names.begin());
}

std::optional<Side> side(const json& options, const char* key) {
  if (!options.contains(key)) return std::nullopt;
  return choice(options, key, {"right", "left"}) == 1 ? Side::left : Side::right;
}

}  // namespace

EncodeOptions golden_options(const json& options) {
  EncodeOptions o;
  o.add_special_tokens = options.value("add_special_tokens", true);
  o.split_special_tokens = options.value("split_special_tokens", false);
  o.truncation = static_cast<Truncation>(
      choice(options, "truncation", {"automatic", "none", "longest_first", "only_first", "only_second"}));
  if (options.contains("max_length")) o.max_length = options.at("max_length").get<int64_t>();
  o.stride = options.value("stride", int64_t{0});
  o.return_overflow = options.value("return_overflow", false);
  o.padding = static_cast<Padding>(choice(options, "padding", {"none", "longest", "max_length"}));
  o.pad_to_multiple_of = options.value("pad_to_multiple_of", int64_t{0});
  o.truncation_side = side(options, "truncation_side");
  o.padding_side = side(options, "padding_side");
  o.return_offsets = true;
  return o;
}

json packed(const EncodedBatch& batch) {
  json out = json::object();
  const auto rows = [&](const char* key, auto empty, auto append) {
    json& all = out[key] = json::array();
    for (size_t r = 0; r + 1 < batch.row_begin.size(); ++r) {
      json row = empty;
      for (auto i = static_cast<size_t>(batch.row_begin[r]); i < static_cast<size_t>(batch.row_begin[r + 1]); ++i)
        append(row, i);
      all.push_back(row);
    }
  };
  const auto digit = [](json& row, int value) {
    row = row.get<std::string>() + (value < 0 ? "-" : std::to_string(value));
  };
  rows("ids", json::array(), [&](json& row, size_t i) { row.push_back(batch.ids[i]); });
  rows("word_ids", json::array(), [&](json& row, size_t i) { row.push_back(batch.word_ids[i]); });
  rows("offsets", json::array(), [&](json& row, size_t i) {
    row.push_back(batch.offsets[i].begin);
    row.push_back(batch.offsets[i].end);
  });
  rows("type_ids", "", [&](json& row, size_t i) { digit(row, batch.type_ids[i]); });
  rows("attention_mask", "", [&](json& row, size_t i) { digit(row, batch.attention_mask[i]); });
  rows("special_tokens_mask", "", [&](json& row, size_t i) { digit(row, batch.special_tokens_mask[i]); });
  rows("sequence_ids", "", [&](json& row, size_t i) { digit(row, batch.sequence_ids[i]); });
  out["row_text"] = batch.row_text;
  return out;
}

}  // namespace tw::test
