#include "tokenizer/bert_tokenizer.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "tokenizer/batch_encoder.h"
#include "tokenizer/decoder.h"
#include "tokenizer/tokenizer_files.h"

namespace tw {
namespace {

NormalizerSteps steps_of(const BertTokenizerConfig& config) {
  return {.clean_text = config.clean_text,
          .handle_chinese_chars = config.tokenize_chinese_chars,
          .strip_accents = config.strip_accents.value_or(config.do_lower_case),
          .lowercase = config.do_lower_case};
}

// The named special tokens in the reference's order; those without a name are left out.
std::vector<std::string> special_names(const BertTokenizerConfig& config) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const std::string* name : {&config.bos_token, &config.eos_token, &config.unk_token, &config.sep_token,
                                  &config.pad_token, &config.cls_token, &config.mask_token}) {
    add(*name);
  }
  for (const std::string& name : config.additional_special_tokens) add(name);
  return names;
}

AddedTokens added_tokens_of(const Vocabulary& vocabulary, const BertTokenizerConfig& config, const std::string& name) {
  AddedTokens added;
  for (const AddedToken& token : config.added_tokens) added.add(token, vocabulary, name);
  for (const auto& [field, token] :
       {std::pair{"unk_token", &config.unk_token}, std::pair{"sep_token", &config.sep_token},
        std::pair{"pad_token", &config.pad_token}, std::pair{"cls_token", &config.cls_token}}) {
    const bool is_unknown = token == &config.unk_token;  // WordPiece looks for it in the vocabulary alone
    if (vocabulary.id_of(*token) || (!is_unknown && added.id_of(*token))) continue;
    throw Error(ErrorCode::malformed, {.file = printable(name, 512),
                                       .field = field,
                                       .expected = '"' + printable(*token) + "\" in the vocabulary",
                                       .found = "none"});
  }
  for (const std::string& special : special_names(config)) {
    const auto form = std::ranges::find(config.special_token_forms, special, &AddedToken::content);
    if (form != config.special_token_forms.end()) {
      added.add(*form, vocabulary, name);
    } else if (!added.id_of(special)) {
      added.add({.content = special, .normalized = false, .special = true}, vocabulary, name);
    }
  }
  added.prepare(config.added_token_steps.value_or(steps_of(config)), name);
  return added;
}

WordPiece wordpiece_of(const Vocabulary& vocabulary, const BertTokenizerConfig& config) {
  return WordPiece(vocabulary,
                   {.continuing_prefix = config.continuing_subword_prefix,
                    .max_word_chars = static_cast<size_t>(std::max<int64_t>(0, config.max_input_chars_per_word)),
                    .unknown_id = vocabulary.id_of(config.unk_token).value()});
}

}  // namespace

struct BertTokenizer::Impl {
  Impl(Vocabulary v, const BertTokenizerConfig& c, const std::string& name)
      : vocabulary(std::move(v)),
        config(c),
        rules(make_rules(vocabulary, c, name)),
        specials{.cls = id(c.cls_token), .sep = id(c.sep_token), .pad = id(c.pad_token)} {
    for (const std::string& special : special_names(c)) all_special_ids.push_back(id(special));
  }

  static TextRules make_rules(const Vocabulary& vocabulary, const BertTokenizerConfig& config,
                              const std::string& name) {
    AddedTokens added = added_tokens_of(vocabulary, config, name);  // checks that there is an unk_token
    return {steps_of(config), std::move(added), wordpiece_of(vocabulary, config)};
  }
  std::optional<int32_t> find(std::string_view token) const {
    const std::optional<int32_t> added = rules.added.id_of(token);
    return added ? added : vocabulary.id_of(token);
  }
  int32_t id(std::string_view token) const { return find(token).value_or(rules.wordpiece.unknown_id()); }
  std::optional<std::string_view> token(int32_t id) const {
    if (const AddedToken* added = rules.added.token_of(id)) return added->content;
    return vocabulary.token_of(id);
  }

  Vocabulary vocabulary;
  BertTokenizerConfig config;
  TextRules rules;
  SpecialIds specials;
  std::vector<int32_t> all_special_ids;
};

BertTokenizer::BertTokenizer(Vocabulary vocabulary, const BertTokenizerConfig& config, const std::string& name)
    : impl_(std::make_shared<const Impl>(std::move(vocabulary), config, name)) {}

BertTokenizer BertTokenizer::from_vocab_text(std::string_view vocab_text, const BertTokenizerConfig& config,
                                             const std::string& name) {
  return BertTokenizer(Vocabulary::from_lines(vocab_text, name), config, name);
}

BertTokenizer BertTokenizer::from_files(const BertTokenizerFiles& files) {
  TokenizerSpec spec = read_tokenizer_files(files);
  return BertTokenizer(std::move(spec.vocabulary), spec.config, spec.name);
}

BertTokenizer BertTokenizer::from_directory(const std::string& directory) {
  const std::filesystem::path folder(directory);
  const auto present = [&](const char* name) {
    std::error_code ignored;
    const std::filesystem::path path = folder / name;
    return std::filesystem::exists(path, ignored) ? path.string() : std::string();
  };
  const BertTokenizerFiles files{.vocab = present("vocab.txt"),
                                 .tokenizer = present("tokenizer.json"),
                                 .config = present("tokenizer_config.json"),
                                 .special_tokens_map = present("special_tokens_map.json"),
                                 .added_tokens = present("added_tokens.json")};
  if (files.vocab.empty() && files.tokenizer.empty()) {
    throw Error(ErrorCode::io_error, {.file = printable(directory, 512),
                                      .expected = "a directory with tokenizer.json or vocab.txt",
                                      .found = "neither"});
  }
  return from_files(files);
}

EncodedBatch BertTokenizer::encode(const EncodeInput& input, const EncodeOptions& options) const {
  return encode_batch(std::span(&input, 1), options, 1);
}

EncodedBatch BertTokenizer::encode_batch(std::span<const EncodeInput> inputs, const EncodeOptions& options,
                                         int threads) const {
  const LengthRules lengths = resolve_lengths(options, {.model_max_length = impl_->config.model_max_length,
                                                        .truncation_side = impl_->config.truncation_side,
                                                        .padding_side = impl_->config.padding_side});
  return tw::encode_batch(inputs, impl_->rules, impl_->specials, lengths, options, threads);
}

std::string BertTokenizer::decode(std::span<const int32_t> ids, const DecodeOptions& options) const {
  std::vector<std::string_view> tokens;
  for (const int32_t id : ids) {
    if (id < 0) {
      throw Error(ErrorCode::invalid_argument, {.field = "id", .expected = "0 or more", .found = std::to_string(id)});
    }
    const std::optional<std::string_view> token = impl_->token(id);
    if (!token || (options.skip_special_tokens && impl_->rules.added.is_special(*token))) continue;
    tokens.push_back(*token);
  }
  std::string text = join_tokens(tokens, impl_->config.decoder_prefix, impl_->config.decoder_cleanup);
  const bool clean_up = options.clean_up_tokenization_spaces.value_or(impl_->config.clean_up_tokenization_spaces);
  return clean_up ? clean_up_spaces(std::move(text)) : text;
}

std::vector<std::string> BertTokenizer::decode_batch(std::span<const int32_t> ids, std::span<const int64_t> row_begin,
                                                     const DecodeOptions& options) const {
  std::vector<std::string> texts;
  for (size_t row = 0; row + 1 < row_begin.size(); ++row) {
    const int64_t begin = row_begin[row], end = row_begin[row + 1];
    if (begin < 0 || end < begin || end > static_cast<int64_t>(ids.size())) {
      throw Error(ErrorCode::invalid_argument,
                  {.field = "row_begin[" + std::to_string(row + 1) + "]",
                   .expected = "rising positions, " + std::to_string(ids.size()) + " at most",
                   .found = std::to_string(begin) + " to " + std::to_string(end)});
    }
    texts.push_back(decode(ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)), options));
  }
  return texts;
}

std::optional<int32_t> BertTokenizer::token_to_id(std::string_view token) const { return impl_->find(token); }

std::optional<std::string_view> BertTokenizer::id_to_token(int32_t id) const { return impl_->token(id); }

std::vector<int32_t> BertTokenizer::convert_tokens_to_ids(std::span<const std::string_view> tokens) const {
  std::vector<int32_t> ids;
  ids.reserve(tokens.size());
  for (const std::string_view token : tokens) ids.push_back(impl_->id(token));
  return ids;
}

std::vector<std::optional<std::string_view>> BertTokenizer::convert_ids_to_tokens(std::span<const int32_t> ids,
                                                                                  bool skip_special_tokens) const {
  std::vector<std::optional<std::string_view>> tokens;
  for (const int32_t id : ids) {
    if (skip_special_tokens && std::ranges::find(impl_->all_special_ids, id) != impl_->all_special_ids.end()) continue;
    tokens.push_back(impl_->token(id));
  }
  return tokens;
}

int32_t BertTokenizer::unk_id() const { return impl_->rules.wordpiece.unknown_id(); }
int32_t BertTokenizer::sep_id() const { return impl_->specials.sep; }
int32_t BertTokenizer::pad_id() const { return impl_->specials.pad; }
int32_t BertTokenizer::cls_id() const { return impl_->specials.cls; }
std::optional<int32_t> BertTokenizer::mask_id() const {
  return impl_->config.mask_token.empty() ? std::nullopt : impl_->find(impl_->config.mask_token);
}
const std::vector<int32_t>& BertTokenizer::all_special_ids() const { return impl_->all_special_ids; }
const BertTokenizerConfig& BertTokenizer::config() const { return impl_->config; }
const AddedTokens& BertTokenizer::added_tokens() const { return impl_->rules.added; }
const Vocabulary& BertTokenizer::vocabulary() const { return impl_->vocabulary; }
int64_t BertTokenizer::vocab_size() const { return impl_->vocabulary.size(); }

int64_t BertTokenizer::size() const {
  int64_t size = vocab_size();
  for (const auto& [id, token] : added_tokens().by_id()) size += impl_->vocabulary.id_of(token.content) ? 0 : 1;
  return size;
}

int32_t BertTokenizer::id_end() const {
  const auto& added = added_tokens().by_id();
  return std::max(impl_->vocabulary.id_end(), added.empty() ? 0 : added.rbegin()->first + 1);
}

}  // namespace tw
