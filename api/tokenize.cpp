// Tokenizing and decoding.
#include "api/boundary.h"
#include "api/handles.h"
#include "api/texts.h"
#include "core/cpu_info.h"

namespace tw {

std::string_view checked_text(const tuwen_text& text, size_t index, const char* list) {
  if (text.data == nullptr && text.size > 0) {
    throw_argument(std::string(list) + "[" + std::to_string(index) + "].data", "a pointer", "NULL");
  }
  return {text.data, text.size};
}

std::vector<EncodeInput> inputs_of(const tuwen_text* texts, const tuwen_text* pairs, size_t count) {
  if (count > 0) not_null(texts, "texts");
  std::vector<EncodeInput> inputs;
  inputs.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const std::string_view text = checked_text(texts[i], i, "texts");
    if (pairs == nullptr) {
      inputs.emplace_back(text);
    } else {
      inputs.emplace_back(text, checked_text(pairs[i], i, "pairs"));
    }
  }
  return inputs;
}

namespace {

std::optional<Side> side_of(int32_t side, const char* name) {
  checked_choice(side, TUWEN_SIDE_LEFT, name);
  if (side == TUWEN_SIDE_DEFAULT) return std::nullopt;
  return side == TUWEN_SIDE_LEFT ? Side::left : Side::right;
}

bool flag_of(int32_t value, const char* name) { return checked_choice(value, 1, name) == 1; }

EncodeOptions read_encode_options(const tuwen_tokenize_options& o) {
  EncodeOptions e;
  e.add_special_tokens = !flag_of(o.no_special_tokens, "options.no_special_tokens");
  e.split_special_tokens = flag_of(o.split_special_tokens, "options.split_special_tokens");
  e.truncation = static_cast<Truncation>(checked_choice(o.truncation, 4, "options.truncation"));
  e.padding = static_cast<Padding>(checked_choice(o.padding, 2, "options.padding"));
  if (o.max_length != 0) e.max_length = o.max_length;
  e.stride = o.stride;
  e.return_overflow = flag_of(o.return_overflow, "options.return_overflow");
  e.pad_to_multiple_of = o.pad_to_multiple_of;
  e.truncation_side = side_of(o.truncation_side, "options.truncation_side");
  e.padding_side = side_of(o.padding_side, "options.padding_side");
  e.return_offsets = true;
  e.offset_unit = flag_of(o.byte_offsets, "options.byte_offsets") ? OffsetUnit::bytes : OffsetUnit::code_points;
  e.reject_invalid_utf8 = flag_of(o.reject_invalid_utf8, "options.reject_invalid_utf8");
  e.evaluation_preprocessing = flag_of(o.evaluation_preprocessing, "options.evaluation_preprocessing");
  return e;
}
static_assert(static_cast<int>(Truncation::automatic) == TUWEN_TRUNCATION_DEFAULT);
static_assert(static_cast<int>(Truncation::only_second) == TUWEN_TRUNCATION_ONLY_SECOND);
static_assert(static_cast<int>(Padding::max_length) == TUWEN_PADDING_MAX_LENGTH);
static_assert(sizeof(Offset) == 2 * sizeof(uint32_t));

template <class Byte>
std::vector<int32_t> widened(const std::vector<Byte>& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::unique_ptr<tuwen_tokens> encode(const tuwen_processor* processor, std::span<const EncodeInput> inputs,
                                     const tuwen_tokenize_options* options) {
  const tuwen_tokenize_options o = read_options(options, "options");
  const EncodeOptions how = read_encode_options(o);
  const int threads = checked_choice(o.threads, 1024, "options.threads");
  const BertTokenizer& tokenizer = not_null(processor, "processor").tokenizer;
  auto result = std::make_unique<tuwen_tokens>();
  result->batch = tokenizer.encode_batch(inputs, how, threads == 0 ? query_cpu().cores : threads);
  result->type_ids = widened(result->batch.type_ids);
  result->attention_mask = widened(result->batch.attention_mask);
  result->special_tokens_mask = widened(result->batch.special_tokens_mask);
  result->sequence_ids = widened(result->batch.sequence_ids);
  return result;
}

// Words, and where each text's begin: views of the caller's arrays.
class WordLists {
 public:
  WordLists(const tuwen_text* words, const size_t* begin, size_t count, const char* words_name, const char* begin_name)
      : begin_(begin) {
    not_null(begin, begin_name);
    for (size_t t = 0; t < count; ++t) {
      if (begin[t] > begin[t + 1] || (t == 0 && begin[t] != 0)) {
        throw_argument(std::string(begin_name) + "[" + std::to_string(t) + "]", t == 0 ? "0" : "ascending numbers",
                       std::to_string(begin[t]));
      }
    }
    const size_t all = count == 0 ? 0 : begin[count];
    if (all > 0) not_null(words, words_name);
    views_.reserve(all);
    for (size_t w = 0; w < all; ++w) views_.push_back(checked_text(words[w], w, words_name));
  }
  TextSequence text(size_t t) const {
    return TextSequence(std::span(views_).subspan(begin_[t], begin_[t + 1] - begin_[t]));
  }

 private:
  const size_t* begin_;
  std::vector<std::string_view> views_;
};

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_tokenize(const tuwen_processor* processor, const tuwen_text* texts, const tuwen_text* pairs,
                            size_t count, const tuwen_tokenize_options* options, tuwen_tokens** tokens) {
  return guarded([&] {
    not_null(tokens, "tokens");
    *tokens = encode(processor, inputs_of(texts, pairs, count), options).release();
  });
}

tuwen_status tuwen_tokenize_words(const tuwen_processor* processor, const tuwen_text* words, const size_t* word_begin,
                                  const tuwen_text* pair_words, const size_t* pair_begin, size_t count,
                                  const tuwen_tokenize_options* options, tuwen_tokens** tokens) {
  return guarded([&] {
    not_null(tokens, "tokens");
    const WordLists first(words, word_begin, count, "words", "word_begin");
    std::optional<WordLists> second;
    if (pair_begin != nullptr) second.emplace(pair_words, pair_begin, count, "pair_words", "pair_begin");
    std::vector<EncodeInput> inputs;
    inputs.reserve(count);
    for (size_t t = 0; t < count; ++t) {
      second ? inputs.emplace_back(first.text(t), second->text(t)) : inputs.emplace_back(first.text(t));
    }
    *tokens = encode(processor, inputs, options).release();
  });
}

tuwen_status tuwen_tokens_get(const tuwen_tokens* tokens, tuwen_tokens_view* view) {
  return guarded([&] {
    const tuwen_tokens& t = not_null(tokens, "tokens");
    not_null(view, "view") = {.rows = static_cast<size_t>(t.batch.rows()),
                              .row_begin = t.batch.row_begin.data(),
                              .row_text = t.batch.row_text.data(),
                              .ids = t.batch.ids.data(),
                              .type_ids = t.type_ids.data(),
                              .attention_mask = t.attention_mask.data(),
                              .special_tokens_mask = t.special_tokens_mask.data(),
                              .offsets = reinterpret_cast<const uint32_t*>(t.batch.offsets.data())};
  });
}

tuwen_status tuwen_tokens_get_sources(const tuwen_tokens* tokens, tuwen_token_sources* sources) {
  return guarded([&] {
    const tuwen_tokens& t = not_null(tokens, "tokens");
    not_null(sources, "sources") = {.word_ids = t.batch.word_ids.data(), .sequence_ids = t.sequence_ids.data()};
  });
}

void tuwen_tokens_free(tuwen_tokens* tokens) { delete tokens; }

tuwen_status tuwen_token_text(const tuwen_processor* processor, int32_t id, tuwen_text* token) {
  return guarded([&] {
    const BertTokenizer& tokenizer = not_null(processor, "processor").tokenizer;
    not_null(token, "token");
    const auto text = tokenizer.id_to_token(id);
    if (!text.has_value()) {
      throw_argument("id", "an id of the vocabulary, below " + std::to_string(tokenizer.id_end()), std::to_string(id));
    }
    *token = {text->data(), text->size()};
  });
}

tuwen_status tuwen_token_id(const tuwen_processor* processor, tuwen_text token, int32_t* id) {
  return guarded([&] {
    const auto found = not_null(processor, "processor").tokenizer.token_to_id(checked_text(token, 0, "token"));
    not_null(id, "id") = found.value_or(-1);
  });
}

tuwen_status tuwen_decode(const tuwen_processor* processor, const int32_t* ids, size_t count, uint32_t flags, char* out,
                          size_t capacity, size_t* size) {
  return guarded([&] {
    constexpr uint32_t kBoth = TUWEN_DECODE_CLEANUP | TUWEN_DECODE_NO_CLEANUP;
    if (flags > (kBoth | TUWEN_DECODE_SKIP_SPECIAL) || (flags & kBoth) == kBoth) {
      throw_argument("flags", "TUWEN_DECODE_... flags, not both about clean-up", std::to_string(flags));
    }
    if (count > 0) not_null(ids, "ids");
    if (capacity > 0) not_null(out, "out");
    DecodeOptions options;
    options.skip_special_tokens = (flags & TUWEN_DECODE_SKIP_SPECIAL) != 0;
    if ((flags & kBoth) != 0) options.clean_up_tokenization_spaces = (flags & TUWEN_DECODE_CLEANUP) != 0;
    const std::string text = not_null(processor, "processor").tokenizer.decode({ids, count}, options);
    not_null(size, "size") = text.size();
    if (!text.empty() && text.size() <= capacity) std::memcpy(out, text.data(), text.size());
  });
}
