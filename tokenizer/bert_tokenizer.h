// The tokenizer of Chinese-CLIP: BertTokenizerFast of transformers 4.37.2 (tokenizers 0.15.2), equal to it on any text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/encoding.h"
#include "tokenizer/vocabulary.h"

namespace tw {

// What the tokenizer files can say; the defaults are those of the reference.
struct BertTokenizerConfig {
  bool do_lower_case = true;
  std::optional<bool> strip_accents = {};  // default: as do_lower_case
  bool tokenize_chinese_chars = true;
  bool clean_text = true;
  std::string unk_token = "[UNK]";
  std::string sep_token = "[SEP]";
  std::string pad_token = "[PAD]";
  std::string cls_token = "[CLS]";
  std::string mask_token = "[MASK]";
  std::string bos_token = {}, eos_token = {};  // usually none
  std::vector<std::string> additional_special_tokens = {};
  std::optional<int64_t> model_max_length = {};  // tokens, special ones included; nothing: unlimited
  Side truncation_side = Side::right;
  Side padding_side = Side::right;
  bool clean_up_tokenization_spaces = true;  // default of decode
  // Searched in texts beside the special tokens above, in the order in which new ones get their ids.
  std::vector<AddedToken> added_tokens = {};
  // How special tokens named above are searched, where that is not the usual way.
  std::vector<AddedToken> special_token_forms = {};
  // tokenizer.json only.
  std::string continuing_subword_prefix = "##";
  int64_t max_input_chars_per_word = 100;  // the original repository's own tokenizer has 200
  std::string decoder_prefix = "##";
  bool decoder_cleanup = true;
  // How normalised added tokens are spelled. Default: by the settings above. The reference spells them by the
  // normalizer of tokenizer.json, although texts go by tokenizer_config.json.
  std::optional<NormalizerSteps> added_token_steps = {};
};

// The files of a model directory, by path; an empty path is a file that is not there. tokenizer.json or vocab.txt must
// be. As in the reference tokenizer.json wins over vocab.txt, and tokenizer_config.json (or its defaults) over what
// tokenizer.json says about lower case, accents and ideographs; special_tokens_map.json and added_tokens.json count
// only when tokenizer_config.json has no added_tokens_decoder.
struct BertTokenizerFiles {
  std::string vocab = {};               // vocab.txt
  std::string tokenizer = {};           // tokenizer.json
  std::string config = {};              // tokenizer_config.json
  std::string special_tokens_map = {};  // special_tokens_map.json
  std::string added_tokens = {};        // added_tokens.json
};

struct DecodeOptions {
  bool skip_special_tokens = false;
  std::optional<bool> clean_up_tokenization_spaces = {};  // default: the tokenizer's
};

// Immutable after construction; all methods are const and any number of threads may call them on one object. Copies
// share their tables.
class BertTokenizer {
 public:
  static constexpr size_t kMaxTextBytes = size_t{1} << 30;
  static constexpr int64_t kMaxTokensInBatch = int64_t{1} << 30;

  // Errors name file and field: io_error, malformed, unsupported (not a BERT tokenizer), limit_exceeded. The vocabulary
  // must hold the tokens named unk, sep, pad and cls.
  static BertTokenizer from_directory(const std::string& directory);
  static BertTokenizer from_files(const BertTokenizerFiles& files);
  // The content of a vocab.txt; `name` stands for the file in errors.
  static BertTokenizer from_vocab_text(std::string_view vocab_text, const BertTokenizerConfig& config = {},
                                       const std::string& name = "vocab.txt");
  BertTokenizer(Vocabulary vocabulary, const BertTokenizerConfig& config, const std::string& name);

  // Tokens of one text or pair: one row, more with return_overflow. Throws invalid_argument for options that cannot be
  // met, limit_exceeded for texts over kMaxTextBytes and results over kMaxTokensInBatch, malformed for invalid UTF-8
  // where it is to be rejected; ErrorDetail::file names the text ("text[3]", "text_pair[3]").
  EncodedBatch encode(const EncodeInput& input, const EncodeOptions& options = {}) const;

  // Rows in the order of the inputs. Uses up to `threads` threads; the result does not depend on how many.
  EncodedBatch encode_batch(std::span<const EncodeInput> inputs, const EncodeOptions& options = {},
                            int threads = 1) const;

  // Text of tokens: "##x" joins what is before it, other tokens get a space. Ids without a token are left out; negative
  // ones throw invalid_argument. Chinese comes back with a space between characters, as in the reference.
  std::string decode(std::span<const int32_t> ids, const DecodeOptions& options = {}) const;
  // Row r is [row_begin[r], row_begin[r + 1]) of ids, as in EncodedBatch.
  std::vector<std::string> decode_batch(std::span<const int32_t> ids, std::span<const int64_t> row_begin,
                                        const DecodeOptions& options = {}) const;

  // The id of a token, added ones included; nothing if there is none.
  std::optional<int32_t> token_to_id(std::string_view token) const;
  // The token of an id; nothing if there is none. The view lives as long as the tokenizer.
  std::optional<std::string_view> id_to_token(int32_t id) const;
  // As token_to_id and id_to_token; an unknown token has the id of unk_token.
  std::vector<int32_t> convert_tokens_to_ids(std::span<const std::string_view> tokens) const;
  std::vector<std::optional<std::string_view>> convert_ids_to_tokens(std::span<const int32_t> ids,
                                                                     bool skip_special_tokens = false) const;

  int32_t unk_id() const;
  int32_t sep_id() const;
  int32_t pad_id() const;
  int32_t cls_id() const;
  std::optional<int32_t> mask_id() const;  // nothing if the configuration has no mask_token
  // Ids of all tokens that the configuration names special, in the reference's order.
  const std::vector<int32_t>& all_special_ids() const;
  int special_tokens_to_add(bool pair) const { return pair ? 3 : 2; }

  int64_t vocab_size() const;  // different tokens of the vocabulary, added ones not counted
  int64_t size() const;        // added ones counted
  int32_t id_end() const;      // one more than the largest id that encode can give
  const BertTokenizerConfig& config() const;
  const AddedTokens& added_tokens() const;
  const Vocabulary& vocabulary() const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace tw
