// Our tokenizer on a pipe, for scripts that compare it with the reference (scripts/check_tokenizer.py and others).
//
//   tokenizer_probe DIRECTORY     with the tokenizer files of a model
//
// One JSON request a line on stdin, one JSON answer a line on stdout. Texts are hexadecimal bytes, so that any byte
// string passes. Requests:
//   {"encode": [input...], "options": {...}, "threads": n}   input: text | [text] | [text, text]; text: hex | [hex...]
//   words
//   {"decode": [[id...]...], "options": {...}}
//   {"evaluation_text": [hex...]}
//   {"info": true}
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "tokenizer/bert_tokenizer.h"
#include "tokenizer/evaluation_text.h"

namespace {

using nlohmann::json;

std::string from_hex(const std::string& hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    hex += two;
  }
  return hex;
}

// Owns what EncodeInput looks at.
struct Text {
  explicit Text(const json& j) : split(j.is_array()) {
    if (split) {
      for (const json& word : j) words.push_back(from_hex(word.get<std::string>()));
      views.assign(words.begin(), words.end());
    } else {
      text = from_hex(j.get<std::string>());
    }
  }
  tw::TextSequence sequence() const {
    return split ? tw::TextSequence(std::span<const std::string_view>(views)) : tw::TextSequence(text);
  }
  bool split;
  std::string text;
  std::vector<std::string> words;
  std::vector<std::string_view> views;
};

tw::EncodeOptions encode_options(const json& j) {
  tw::EncodeOptions o;
  const auto read = [&](const char* key, auto& value) {
    if (j.contains(key)) value = j.at(key).get<std::remove_reference_t<decltype(value)>>();
  };
  const auto choice = [&](const char* key, std::initializer_list<const char*> names) {
    int index = 0;
    if (j.contains(key)) {
      for (const char* name : names) {
        if (j.at(key) == name) break;
        ++index;
      }
    }
    return index;
  };
  const auto side = [&](const char* key, std::optional<tw::Side>& value) {
    if (j.contains(key)) value = j.at(key) == "left" ? tw::Side::left : tw::Side::right;
  };
  read("add_special_tokens", o.add_special_tokens);
  read("split_special_tokens", o.split_special_tokens);
  read("stride", o.stride);
  read("return_overflow", o.return_overflow);
  read("pad_to_multiple_of", o.pad_to_multiple_of);
  read("return_offsets", o.return_offsets);
  read("reject_invalid_utf8", o.reject_invalid_utf8);
  read("evaluation_preprocessing", o.evaluation_preprocessing);
  if (j.contains("max_length")) o.max_length = j.at("max_length").get<int64_t>();
  o.truncation = static_cast<tw::Truncation>(
      choice("truncation", {"automatic", "none", "longest_first", "only_first", "only_second"}));
  o.padding = static_cast<tw::Padding>(choice("padding", {"none", "longest", "max_length"}));
  o.offset_unit = static_cast<tw::OffsetUnit>(choice("offset_unit", {"code_points", "bytes"}));
  side("truncation_side", o.truncation_side);
  side("padding_side", o.padding_side);
  return o;
}

json rows_of(const tw::EncodedBatch& batch, const tw::EncodeOptions& options) {
  json out;
  const auto split = [&](const char* key, const auto& values, auto convert) {
    json& rows = out[key] = json::array();
    for (int64_t r = 0; r < batch.rows(); ++r) {
      json& row = rows.emplace_back(json::array());
      for (int64_t i = batch.row_begin[static_cast<size_t>(r)]; i < batch.row_begin[static_cast<size_t>(r) + 1]; ++i)
        row.push_back(convert(values[static_cast<size_t>(i)]));
    }
  };
  const auto number = [](auto v) { return static_cast<int>(v); };
  split("ids", batch.ids, number);
  if (!options.return_offsets) return out;
  split("type_ids", batch.type_ids, number);
  split("attention_mask", batch.attention_mask, number);
  split("special_tokens_mask", batch.special_tokens_mask, number);
  split("offsets", batch.offsets, [](tw::Offset o) { return json{o.begin, o.end}; });
  split("word_ids", batch.word_ids, number);
  split("sequence_ids", batch.sequence_ids, number);
  out["row_text"] = batch.row_text;
  return out;
}

json answer(const tw::BertTokenizer& tokenizer, const json& request) {
  const json options = request.value("options", json::object());
  if (request.contains("encode")) {
    std::vector<Text> texts;
    texts.reserve(2 * request.at("encode").size());
    std::vector<tw::EncodeInput> inputs;
    for (const json& input : request.at("encode")) {
      const bool wrapped = input.is_array();
      const Text& first = texts.emplace_back(wrapped ? input.at(0) : input);
      if (wrapped && input.size() == 2) {
        const Text& second = texts.emplace_back(input.at(1));
        inputs.emplace_back(first.sequence(), second.sequence());
      } else {
        inputs.emplace_back(first.sequence());
      }
    }
    const tw::EncodeOptions o = encode_options(options);
    return rows_of(tokenizer.encode_batch(inputs, o, request.value("threads", 1)), o);
  }
  if (request.contains("decode")) {
    tw::DecodeOptions o;
    o.skip_special_tokens = options.value("skip_special_tokens", false);
    if (options.contains("clean_up")) o.clean_up_tokenization_spaces = options.at("clean_up").get<bool>();
    json texts = json::array();
    for (const json& ids : request.at("decode"))
      texts.push_back(to_hex(tokenizer.decode(ids.get<std::vector<int32_t>>(), o)));
    return {{"texts", texts}};
  }
  if (request.contains("evaluation_text")) {
    json texts = json::array();
    for (const json& text : request.at("evaluation_text"))
      texts.push_back(to_hex(tw::evaluation_text(from_hex(text.get<std::string>()))));
    return {{"texts", texts}};
  }
  json added = json::object();
  for (const auto& [id, token] : tokenizer.added_tokens().by_id()) added[to_hex(token.content)] = id;
  return {{"vocab_size", tokenizer.vocab_size()},
          {"size", tokenizer.size()},
          {"special_ids", tokenizer.all_special_ids()},
          {"unk", tokenizer.unk_id()},
          {"pad", tokenizer.pad_id()},
          {"added", added}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: tokenizer_probe DIRECTORY < requests\n", stderr);
    return 2;
  }
  try {
    const tw::BertTokenizer tokenizer = tw::BertTokenizer::from_directory(argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
      json out;
      try {
        out = answer(tokenizer, json::parse(line));
      } catch (const tw::Error& e) {
        out = {{"error", e.what()}};
      }
      std::cout << out.dump(-1, ' ', true, json::error_handler_t::replace) << std::endl;
    }
  } catch (const std::exception& e) {
    std::cout << json{{"error", e.what()}}.dump(-1, ' ', true, json::error_handler_t::replace) << std::endl;
    return 1;
  }
  return 0;
}
