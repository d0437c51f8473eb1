// From texts to rows of tokens: truncation, special tokens, padding, on several threads.
#pragma once

#include <cstdint>
#include <span>

#include "tokenizer/encoding.h"
#include "tokenizer/length_rules.h"
#include "tokenizer/text_encoder.h"

namespace tw {

struct SpecialIds {
  int32_t cls, sep, pad;
};

// See BertTokenizer::encode_batch.
EncodedBatch encode_batch(std::span<const EncodeInput> inputs, const TextRules& rules, const SpecialIds& specials,
                          const LengthRules& lengths, const EncodeOptions& options, int threads);

}  // namespace tw
