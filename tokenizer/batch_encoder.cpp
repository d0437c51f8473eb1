#include "tokenizer/batch_encoder.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/checked_math.h"
#include "core/error.h"
#include "core/jobs.h"
#include "tokenizer/bert_tokenizer.h"
#include "tokenizer/evaluation_text.h"
#include "tokenizer/utf8.h"

namespace tw {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 15;  // of text: enough to hide what a block costs
constexpr size_t kTextCost = 32;                 // bytes that a text adds to those it has
constexpr size_t kNoPair = static_cast<size_t>(-1);

// One row of the result: pieces of its block.
struct Row {
  int32_t text;
  size_t first_begin, first_size;
  size_t second_begin, second_size;  // second_size kNoPair: no second text
  int64_t length;                    // tokens, special ones included, padding not
};

// Consecutive texts that one thread encodes.
struct Block {
  size_t begin, end;
  std::vector<Piece> pieces = {};
  std::vector<Row> rows = {};
  int64_t longest = 0;  // of the rows that are no overflow: padding goes by these
  int64_t tokens = 0;
  size_t first_row = 0;  // place in the result
};

// What all threads share while a batch is encoded.
struct Batch {
  std::span<const EncodeInput> inputs;
  const TextRules& rules;
  const SpecialIds& specials;
  const LengthRules& lengths;
  const EncodeOptions& options;
  std::vector<Block> blocks = {};
  EncodedBatch result = {};
};

size_t bytes_of(const TextSequence& sequence) {
  size_t bytes = sequence.text().size();
  for (const std::string_view word : sequence.words()) bytes += word.size() + 1;
  return bytes;
}

std::vector<Block> make_blocks(std::span<const EncodeInput> inputs) {
  std::vector<Block> blocks;
  size_t begin = 0, cost = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    cost += bytes_of(inputs[i].first) + (inputs[i].second ? bytes_of(*inputs[i].second) : 0) + kTextCost;
    if (cost >= kBlockBytes || i + 1 == inputs.size()) {
      blocks.push_back({.begin = begin, .end = i + 1});
      begin = i + 1;
      cost = 0;
    }
  }
  return blocks;
}

// Which text, for errors.
struct Source {
  size_t text;
  bool second;
};

std::string name_of(Source source) {
  return (source.second ? "text_pair[" : "text[") + std::to_string(source.text) + "]";
}

// Runs the body on every block, on up to `threads` threads. Of errors the first block's is thrown, whatever the timing.
template <class Body>
void for_each_block(std::vector<Block>& blocks, int threads, const Body& body) {
  run_jobs(threads, static_cast<int64_t>(blocks.size()), [&](int64_t i) { body(blocks[static_cast<size_t>(i)]); });
}

// Encodes the texts of blocks, one thread's share.
class BlockEncoder {
 public:
  explicit BlockEncoder(const Batch& batch) : batch_(batch), encoder_(batch.rules) {}

  void encode(Block& block) {
    for (size_t text = block.begin; text < block.end; ++text) encode_text(block, text);
  }

 private:
  void encode_text(Block& block, size_t text) {
    const EncodeInput& input = batch_.inputs[text];
    const LengthRules& lengths = batch_.lengths;
    const int64_t special = !batch_.options.add_special_tokens ? 0 : input.second ? 3 : 2;
    TruncationRule rule{lengths.truncation, lengths.max_length - special, lengths.stride, lengths.truncation_side};
    if (rule.target < 0) rule.strategy = TruncationStrategy::none;  // as in the reference

    const bool only_beginning_counts = rule.strategy != TruncationStrategy::none && rule.side == Side::right &&
                                       !input.second && !batch_.options.return_overflow;
    options_ = {.split_special_tokens = batch_.options.split_special_tokens, .unit = batch_.options.offset_unit};
    if (only_beginning_counts) options_.enough = static_cast<size_t>(rule.target) + 1;

    const size_t first_begin = block.pieces.size();
    encode_sequence(block, input.first, {text, false});
    const size_t second_begin = block.pieces.size();
    if (input.second) encode_sequence(block, *input.second, {text, true});
    const size_t first_size = second_begin - first_begin;
    const size_t second_size = input.second ? block.pieces.size() - second_begin : kNoPair;

    const Row whole{static_cast<int32_t>(text), first_begin, first_size, second_begin, second_size, 0};
    const size_t total = block.pieces.size() - first_begin;
    if (rule.strategy == TruncationStrategy::none || total <= static_cast<size_t>(rule.target)) {
      add_row(block, whole, special, false);
    } else {
      add_windows(block, whole, special, rule);
    }
  }

  void encode_sequence(Block& block, const TextSequence& sequence, Source source) {
    if (!sequence.is_split()) return encode_part(block, sequence.text(), std::nullopt, source);
    int32_t word = 0;
    for (const std::string_view part : sequence.words()) encode_part(block, part, word++, source);
  }

  void encode_part(Block& block, std::string_view text, std::optional<int32_t> word, Source source) {
    if (text.size() > BertTokenizer::kMaxTextBytes) {
      throw Error(ErrorCode::limit_exceeded,
                  {.file = name_of(source),
                   .expected = std::to_string(BertTokenizer::kMaxTextBytes) + " bytes at most",
                   .found = std::to_string(text.size())});
    }
    if (batch_.options.reject_invalid_utf8) {
      const size_t invalid = utf8::find_invalid(text);
      if (invalid != std::string_view::npos) {
        throw Error(ErrorCode::malformed, {.file = name_of(source),
                                           .field = "byte " + std::to_string(invalid),
                                           .expected = "UTF-8",
                                           .found = '"' + printable(text.substr(invalid, 4)) + '"'});
      }
    }
    if (batch_.options.evaluation_preprocessing) {
      encoder_.encode(evaluation_text(text), word, options_, block.pieces);
    } else {
      encoder_.encode(text, word, options_, block.pieces);
    }
  }

  // What is kept, then what overflowed: each rest of the first text with the beginning and every rest of the second,
  // then the beginning of the first with every rest of the second.
  void add_windows(Block& block, const Row& whole, int64_t special, const TruncationRule& rule) {
    const bool pair = whole.second_size != kNoPair;
    const PairWindows windows = truncate_pair(
        static_cast<int64_t>(whole.first_size),
        pair ? std::optional(static_cast<int64_t>(whole.second_size)) : std::nullopt, rule,
        name_of({static_cast<size_t>(whole.text), rule.strategy == TruncationStrategy::only_second && pair}));
    const size_t seconds = std::max<size_t>(windows.second.size(), 1);
    if (batch_.options.return_overflow) check_size(windows, special, whole);
    const auto add = [&](size_t i, size_t j) {
      Row row = whole;
      row.first_begin += static_cast<size_t>(windows.first[i].begin);
      row.first_size = static_cast<size_t>(windows.first[i].end - windows.first[i].begin);
      if (pair) {
        row.second_begin += static_cast<size_t>(windows.second[j].begin);
        row.second_size = static_cast<size_t>(windows.second[j].end - windows.second[j].begin);
      }
      add_row(block, row, special, i + j > 0);
    };
    add(0, 0);
    if (!batch_.options.return_overflow) return;
    for (size_t i = 1; i < windows.first.size(); ++i) {
      for (size_t j = 0; j < seconds; ++j) add(i, j);
    }
    for (size_t j = 1; j < seconds; ++j) add(0, j);
  }

  // Windows of both texts multiply: refused before there are millions of rows.
  static void check_size(const PairWindows& windows, int64_t special, const Row& whole) {
    const auto pieces = [](const std::vector<Window>& all) {
      int64_t sum = 0;
      for (const Window& w : all) sum += w.end - w.begin;
      return sum;
    };
    const auto firsts = static_cast<int64_t>(windows.first.size());
    const auto seconds = static_cast<int64_t>(std::max<size_t>(windows.second.size(), 1));
    const double tokens = static_cast<double>(pieces(windows.first)) * static_cast<double>(seconds) +
                          static_cast<double>(pieces(windows.second)) * static_cast<double>(firsts) +
                          static_cast<double>(special + 1) * static_cast<double>(firsts) * static_cast<double>(seconds);
    if (tokens > static_cast<double>(BertTokenizer::kMaxTokensInBatch)) {
      throw too_large(name_of({static_cast<size_t>(whole.text), false}));
    }
  }

  void add_row(Block& block, Row row, int64_t special, bool overflow) {
    row.length = special + static_cast<int64_t>(row.first_size + (row.second_size == kNoPair ? 0 : row.second_size));
    block.rows.push_back(row);
    block.tokens += row.length + 1;
    if (block.tokens > BertTokenizer::kMaxTokensInBatch)
      throw too_large(name_of({static_cast<size_t>(row.text), false}));
    if (!overflow) block.longest = std::max(block.longest, row.length);
  }

 public:
  static Error too_large(const std::string& name) {
    return Error(ErrorCode::limit_exceeded, {.file = name,
                                             .field = "tokens of the result",
                                             .expected = std::to_string(BertTokenizer::kMaxTokensInBatch) + " at most",
                                             .found = "more"});
  }

 private:
  const Batch& batch_;
  TextEncoder encoder_;
  TextEncoder::Options options_;
};

int64_t padded_length(const Batch& batch) {
  const LengthRules& lengths = batch.lengths;
  if (lengths.padding == Padding::none) return 0;
  int64_t length = lengths.padded_length;
  if (lengths.padding == Padding::longest) {
    length = 0;
    for (const Block& block : batch.blocks) length = std::max(length, block.longest);
  }
  if (lengths.multiple == 0 || length % lengths.multiple == 0) return length;
  return checked_add(length, lengths.multiple - length % lengths.multiple).value_or(INT64_MAX);
}

// Rows' places in the result, and room for them.
void lay_out(Batch& batch, int64_t padded) {
  EncodedBatch& result = batch.result;
  size_t rows = 0;
  for (Block& block : batch.blocks) {
    block.first_row = rows;
    rows += block.rows.size();
  }
  result.row_begin.reserve(rows + 1);
  result.row_text.reserve(rows);
  int64_t tokens = 0;
  for (const Block& block : batch.blocks) {
    for (const Row& row : block.rows) {
      tokens = checked_add(tokens, std::max(row.length, padded)).value_or(INT64_MAX);
      if (tokens > BertTokenizer::kMaxTokensInBatch) throw BlockEncoder::too_large("");
      result.row_begin.push_back(tokens);
      result.row_text.push_back(row.text);
    }
  }
  const auto size = static_cast<size_t>(tokens);
  result.ids.resize(size);
  result.type_ids.resize(size);
  result.attention_mask.resize(size);
  result.special_tokens_mask.resize(size);
  if (batch.options.return_offsets) {
    result.offsets.resize(size);
    result.word_ids.resize(size);
    result.sequence_ids.resize(size);
  }
}

// Writes tokens one after the other into the arrays of the result.
class RowWriter {
 public:
  RowWriter(Batch& batch, size_t at) : result_(batch.result), details_(batch.options.return_offsets), at_(at) {}

  void special(int32_t id, uint8_t type, uint8_t attention) {
    put(id, type, attention, 1);
    if (details_) detail({0, 0}, -1, -1);
    ++at_;
  }
  void padding(int32_t id, int64_t count) {
    for (int64_t i = 0; i < count; ++i) special(id, 0, 0);
  }
  void pieces(std::span<const Piece> pieces, uint8_t type) {
    for (const Piece& piece : pieces) {
      put(piece.id, type, 1, 0);
      if (details_) detail({piece.begin, piece.end}, piece.word, static_cast<int8_t>(type));
      ++at_;
    }
  }

 private:
  void put(int32_t id, uint8_t type, uint8_t attention, uint8_t special) {
    result_.ids[at_] = id;
    result_.type_ids[at_] = type;
    result_.attention_mask[at_] = attention;
    result_.special_tokens_mask[at_] = special;
  }
  void detail(Offset offset, int32_t word, int8_t sequence) {
    result_.offsets[at_] = offset;
    result_.word_ids[at_] = word;
    result_.sequence_ids[at_] = sequence;
  }

  EncodedBatch& result_;
  bool details_;
  size_t at_;
};

void write_rows(Batch& batch, const Block& block) {
  const SpecialIds& specials = batch.specials;
  const bool add_special = batch.options.add_special_tokens;
  for (size_t i = 0; i < block.rows.size(); ++i) {
    const Row& row = block.rows[i];
    const auto begin = static_cast<size_t>(batch.result.row_begin[block.first_row + i]);
    const int64_t padding = batch.result.length(static_cast<int64_t>(block.first_row + i)) - row.length;
    const std::span<const Piece> pieces(block.pieces);
    RowWriter writer(batch, begin);
    if (batch.lengths.padding_side == Side::left) writer.padding(specials.pad, padding);
    if (add_special) writer.special(specials.cls, 0, 1);
    writer.pieces(pieces.subspan(row.first_begin, row.first_size), 0);
    if (add_special) writer.special(specials.sep, 0, 1);
    if (row.second_size != kNoPair) {
      writer.pieces(pieces.subspan(row.second_begin, row.second_size), 1);
      if (add_special) writer.special(specials.sep, 1, 1);
    }
    if (batch.lengths.padding_side == Side::right) writer.padding(specials.pad, padding);
  }
}

}  // namespace

EncodedBatch encode_batch(std::span<const EncodeInput> inputs, const TextRules& rules, const SpecialIds& specials,
                          const LengthRules& lengths, const EncodeOptions& options, int threads) {
  if (inputs.size() > INT32_MAX) {
    throw Error(ErrorCode::limit_exceeded,
                {.field = "texts", .expected = "2147483647 at most", .found = std::to_string(inputs.size())});
  }
  Batch batch{inputs, rules, specials, lengths, options};
  batch.blocks = make_blocks(inputs);
  for_each_block(batch.blocks, threads, [&](Block& block) { BlockEncoder(batch).encode(block); });
  lay_out(batch, padded_length(batch));
  for_each_block(batch.blocks, threads, [&](Block& block) { write_rows(batch, block); });
  return std::move(batch.result);
}

}  // namespace tw
