#include "tokenizer/tokenizer_files.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/error.h"
#include "tokenizer/json_file.h"

namespace tw {
namespace {

using nlohmann::json;

constexpr size_t kMaxVocabBytes = size_t{16} << 20;
constexpr size_t kMaxTokenizerBytes = size_t{64} << 20;
constexpr size_t kMaxConfigBytes = size_t{1} << 20;
constexpr double kUnlimited = 0x1p62;  // the reference's mark for "no limit" is 1e30

AddedToken added_token(const JsonNode& node, bool special) {
  AddedToken token;
  const std::optional<std::string> content = node.text("content");
  if (!content) node.missing("content", "a string");
  token.content = *content;
  token.special = special || node.boolean("special").value_or(false);
  token.normalized = node.boolean("normalized").value_or(!token.special);
  token.single_word = node.boolean("single_word").value_or(false);
  token.lstrip = node.boolean("lstrip").value_or(false);
  token.rstrip = node.boolean("rstrip").value_or(false);
  return token;
}

// tokenizer.json

void require_type(const JsonNode& root, const char* key, std::initializer_list<std::string_view> allowed) {
  const std::optional<JsonNode> node = root.object(key);
  std::string expected;
  for (const std::string_view type : allowed)
    expected += (expected.empty() ? "\"" : " or \"") + std::string(type) + '"';
  if (!node) root.missing(key, expected);
  const std::string type = node->text("type", "");
  if (std::ranges::find(allowed, type) == allowed.end()) node->reject(expected, ErrorCode::unsupported);
}

Vocabulary read_model(const JsonNode& root, BertTokenizerConfig& config, const std::string& file) {
  const std::optional<JsonNode> model = root.object("model");
  if (!model) root.missing("model", "an object");
  if (model->has("type") && model->text("type") != "WordPiece") model->reject("\"WordPiece\"", ErrorCode::unsupported);
  config.unk_token = model->text("unk_token", config.unk_token);
  config.continuing_subword_prefix = model->text("continuing_subword_prefix", config.continuing_subword_prefix);
  config.max_input_chars_per_word =
      model->integer("max_input_chars_per_word").value_or(config.max_input_chars_per_word);
  if (config.max_input_chars_per_word < 0) model->reject("max_input_chars_per_word of 0 or more");
  const std::optional<JsonNode> vocab = model->object("vocab");
  if (!vocab) model->missing("vocab", "an object");
  std::vector<std::pair<std::string, int32_t>> entries;
  for (const auto& [token, id] : vocab->members()) {
    const int64_t value = id.as_integer();
    if (value < 0 || value >= Vocabulary::kMaxTokens) {
      id.reject("0 to " + std::to_string(Vocabulary::kMaxTokens - 1), ErrorCode::limit_exceeded);
    }
    entries.emplace_back(token, static_cast<int32_t>(value));
  }
  return Vocabulary::from_entries(std::move(entries), file);
}

// The template must be [CLS] A [SEP] and [CLS] A [SEP] B [SEP] with types 0 0 0 1 1; then only the two names are news.
void read_post_processor(const JsonNode& root, BertTokenizerConfig& config) {
  require_type(root, "post_processor", {"TemplateProcessing", "BertProcessing"});
  const JsonNode processor = *root.object("post_processor");
  if (processor.text("type") == "BertProcessing") {
    const auto name_of = [&](const char* key) {
      const auto parts = processor.members(key);
      if (parts.size() != 2) processor.reject(std::string(key) + ": a token and its id");
      return parts[0].second.as_text();
    };
    config.cls_token = name_of("cls");
    config.sep_token = name_of("sep");
    return;
  }
  const auto spelled = [&](const char* key) {
    std::string all;
    std::vector<std::string> names;
    for (const auto& [unused, piece] : processor.members(key)) {
      const bool special = piece.has("SpecialToken");
      const std::optional<JsonNode> part = piece.object(special ? "SpecialToken" : "Sequence");
      if (!part) piece.reject("SpecialToken or Sequence");
      if (special) names.push_back(part->text("id", ""));
      all += (special ? "special" : part->text("id", "")) + ':' + std::to_string(part->integer("type_id").value_or(0)) +
             ' ';
    }
    return std::pair{all, names};
  };
  const auto [single, single_names] = spelled("single");
  const auto [pair, pair_names] = spelled("pair");
  const bool standard = single == "special:0 A:0 special:0 " && pair == "special:0 A:0 special:0 B:1 special:1 " &&
                        pair_names[0] == single_names[0] && pair_names[1] == single_names[1] &&
                        pair_names[2] == single_names[1];
  if (!standard) processor.reject("[CLS] A [SEP] and [CLS] A [SEP] B [SEP]", ErrorCode::unsupported);
  config.cls_token = single_names[0];
  config.sep_token = single_names[1];
}

Side side_of(const std::string& value, const JsonNode& node) {
  if (value != "right" && value != "left" && value != "Right" && value != "Left") node.reject("\"right\" or \"left\"");
  return value == "left" || value == "Left" ? Side::left : Side::right;
}

Vocabulary read_tokenizer_json(const std::string& file, BertTokenizerConfig& config) {
  const json value = read_json_object(file, kMaxTokenizerBytes);
  const JsonNode root(value, file);
  require_type(root, "normalizer", {"BertNormalizer"});
  require_type(root, "pre_tokenizer", {"BertPreTokenizer"});
  require_type(root, "decoder", {"WordPiece"});
  const JsonNode normalizer = *root.object("normalizer");
  config.clean_text = normalizer.boolean("clean_text").value_or(true);
  const bool lowercase = normalizer.boolean("lowercase").value_or(true);
  config.added_token_steps = {.clean_text = config.clean_text,
                              .handle_chinese_chars = normalizer.boolean("handle_chinese_chars").value_or(true),
                              .strip_accents = normalizer.boolean("strip_accents").value_or(lowercase),
                              .lowercase = lowercase};
  config.decoder_prefix = root.object("decoder")->text("prefix", config.decoder_prefix);
  config.decoder_cleanup = root.object("decoder")->boolean("cleanup").value_or(true);
  read_post_processor(root, config);
  for (const auto& [unused, token] : root.members("added_tokens")) {
    config.added_tokens.push_back(added_token(token, false));
  }
  if (const auto truncation = root.object("truncation")) {
    config.truncation_side = side_of(truncation->text("direction", "Right"), *truncation);
  }
  if (const auto padding = root.object("padding")) {
    config.padding_side = side_of(padding->text("direction", "Right"), *padding);
  }
  return read_model(root, config, file);
}

// tokenizer_config.json, special_tokens_map.json, added_tokens.json

// One of the named special tokens: a string, or an object that says how it is searched.
void read_special(const JsonNode& value, std::string& name, std::vector<AddedToken>& forms) {
  std::optional<AddedToken> form;
  if (value.value().is_object()) form = added_token(value, true);
  name = form ? form->content : value.as_text();
  std::erase_if(forms, [&](const AddedToken& f) { return f.content == name; });
  if (form) forms.push_back(std::move(*form));
}

void read_specials(const JsonNode& root, BertTokenizerConfig& config) {
  const std::pair<const char*, std::string*> named[] = {
      {"bos_token", &config.bos_token},  {"eos_token", &config.eos_token}, {"unk_token", &config.unk_token},
      {"sep_token", &config.sep_token},  {"pad_token", &config.pad_token}, {"cls_token", &config.cls_token},
      {"mask_token", &config.mask_token}};
  for (const auto& [key, node] : root.members()) {
    const auto known = std::ranges::find(named, key, [](const auto& entry) { return std::string_view(entry.first); });
    if (known == std::end(named)) continue;
    if (node.value().is_null()) {
      known->second->clear();
    } else {
      read_special(node, *known->second, config.special_token_forms);
    }
  }
  for (const auto& [unused, node] : root.members("additional_special_tokens")) {
    std::string name;
    read_special(node, name, config.special_token_forms);
    if (std::ranges::find(config.additional_special_tokens, name) == config.additional_special_tokens.end()) {
      config.additional_special_tokens.push_back(name);
    }
  }
}

int32_t id_of(const std::string& key, const JsonNode& node) {
  int32_t id = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc{} || end != key.data() + key.size()) node.reject("a decimal id as the key");
  return id;
}

void read_config(const JsonNode& root, BertTokenizerConfig& config) {
  config.do_lower_case = root.boolean("do_lower_case").value_or(config.do_lower_case);
  config.strip_accents = root.boolean("strip_accents");
  config.tokenize_chinese_chars = root.boolean("tokenize_chinese_chars").value_or(config.tokenize_chinese_chars);
  config.clean_up_tokenization_spaces = root.boolean("clean_up_tokenization_spaces").value_or(true);
  if (root.has("truncation_side")) config.truncation_side = side_of(root.text("truncation_side", ""), root);
  if (root.has("padding_side")) config.padding_side = side_of(root.text("padding_side", ""), root);
  const char* const limit_key = root.has("model_max_length") ? "model_max_length" : "max_len";
  if (root.has(limit_key)) {
    const json& limit = root.value().at(limit_key);
    if (!limit.is_number() || limit.get<double>() < 0) root.reject(std::string(limit_key) + ": a number of tokens");
    if (limit.get<double>() < kUnlimited) config.model_max_length = static_cast<int64_t>(limit.get<double>());
  }
  read_specials(root, config);
}

void sort_and_append(std::vector<std::pair<int32_t, AddedToken>> by_id, std::vector<AddedToken>& added) {
  std::ranges::stable_sort(by_id, {}, &std::pair<int32_t, AddedToken>::first);
  for (auto& [id, token] : by_id) added.push_back(std::move(token));
}

void read_config_files(const BertTokenizerFiles& files, BertTokenizerConfig& config) {
  std::vector<std::pair<int32_t, AddedToken>> by_id;
  bool has_decoder = false;
  if (!files.config.empty()) {
    const json value = read_json_object(files.config, kMaxConfigBytes);
    const JsonNode root(value, files.config);
    read_config(root, config);
    has_decoder = root.has("added_tokens_decoder");
    for (const auto& [key, node] : root.members("added_tokens_decoder")) {
      by_id.emplace_back(id_of(key, node), added_token(node, false));
    }
  }
  if (!has_decoder && !files.special_tokens_map.empty()) {
    const json value = read_json_object(files.special_tokens_map, kMaxConfigBytes);
    read_specials(JsonNode(value, files.special_tokens_map), config);
  }
  const auto is_named_special = [&](const std::string& content) {
    const std::string* const named[] = {&config.bos_token, &config.eos_token, &config.unk_token, &config.sep_token,
                                        &config.pad_token, &config.cls_token, &config.mask_token};
    return std::ranges::any_of(named, [&](const std::string* name) { return *name == content; }) ||
           std::ranges::find(config.additional_special_tokens, content) != config.additional_special_tokens.end();
  };
  if (!has_decoder && !files.added_tokens.empty()) {
    const json value = read_json_object(files.added_tokens, kMaxConfigBytes);
    for (const auto& [content, node] : JsonNode(value, files.added_tokens, "").members()) {
      const bool special = is_named_special(content);
      by_id.emplace_back(static_cast<int32_t>(std::clamp<int64_t>(node.as_integer(), 0, INT32_MAX)),
                         AddedToken{.content = content, .normalized = !special, .special = special});
    }
  }
  for (auto& [id, token] : by_id) token.special = token.special || is_named_special(token.content);
  sort_and_append(std::move(by_id), config.added_tokens);
}

void require_name(const std::string& found, const std::string& expected, const char* key, const std::string& file) {
  if (found == expected) return;
  throw Error(ErrorCode::unsupported, {.file = file,
                                       .field = key,
                                       .expected = '"' + printable(expected) + "\", as the configuration says",
                                       .found = '"' + printable(found) + '"'});
}

}  // namespace

TokenizerSpec read_tokenizer_files(const BertTokenizerFiles& files) {
  TokenizerSpec spec;
  if (!files.tokenizer.empty()) {
    spec.name = files.tokenizer;
    BertTokenizerConfig stored;
    spec.vocabulary = read_tokenizer_json(files.tokenizer, stored);
    spec.config = stored;
    const BertTokenizerConfig defaults;
    spec.config.unk_token = defaults.unk_token;
    spec.config.cls_token = defaults.cls_token;
    spec.config.sep_token = defaults.sep_token;
    read_config_files(files, spec.config);
    require_name(stored.unk_token, spec.config.unk_token, "model.unk_token", spec.name);
    require_name(stored.cls_token, spec.config.cls_token, "post_processor: first token", spec.name);
    require_name(stored.sep_token, spec.config.sep_token, "post_processor: separator", spec.name);
  } else if (!files.vocab.empty()) {
    spec.name = files.vocab;
    spec.vocabulary = Vocabulary::from_lines(read_text_file(files.vocab, kMaxVocabBytes), files.vocab);
    read_config_files(files, spec.config);
  } else {
    throw Error(ErrorCode::invalid_argument, {.field = "tokenizer files", .expected = "tokenizer.json or vocab.txt"});
  }
  return spec;
}

}  // namespace tw
