// How long rows may be and must be: the options of a call with every default filled in.
#pragma once

#include <cstdint>
#include <optional>

#include "tokenizer/encoding.h"
#include "tokenizer/truncation.h"

namespace tw {

// The tokenizer's own settings that options fall back to.
struct LengthDefaults {
  std::optional<int64_t> model_max_length;
  Side truncation_side, padding_side;
};

// EncodeOptions with every default filled in.
struct LengthRules {
  TruncationStrategy truncation = TruncationStrategy::none;
  Side truncation_side = Side::right;
  int64_t max_length = 0;  // meaningful with truncation
  int64_t stride = 0;
  Padding padding = Padding::none;
  Side padding_side = Side::right;
  int64_t padded_length = 0;  // with Padding::max_length
  int64_t multiple = 0;       // 0: none
};

// As _get_padding_truncation_strategies of the reference. Throws invalid_argument for negative numbers, a max_length
// that is no multiple although truncation and padding ask for one, and a stride over max_length without special tokens.
LengthRules resolve_lengths(const EncodeOptions& options, const LengthDefaults& defaults);

}  // namespace tw
