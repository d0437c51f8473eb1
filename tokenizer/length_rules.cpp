#include "tokenizer/length_rules.h"

#include <string>

#include "core/error.h"

namespace tw {
namespace {

void require(bool condition, const char* field, const std::string& expected, int64_t found) {
  if (condition) return;
  throw Error(ErrorCode::invalid_argument, {.field = field, .expected = expected, .found = std::to_string(found)});
}

}  // namespace

LengthRules resolve_lengths(const EncodeOptions& options, const LengthDefaults& defaults) {
  LengthRules rules;
  rules.truncation_side = options.truncation_side.value_or(defaults.truncation_side);
  rules.padding_side = options.padding_side.value_or(defaults.padding_side);
  rules.padding = options.padding;
  rules.stride = options.stride;
  rules.multiple = options.pad_to_multiple_of;
  require(options.stride >= 0, "stride", "0 or more", options.stride);
  require(options.pad_to_multiple_of >= 0, "pad_to_multiple_of", "0 or more", options.pad_to_multiple_of);
  require(options.max_length.value_or(0) >= 0, "max_length", "0 or more", options.max_length.value_or(0));

  switch (options.truncation) {
    case Truncation::automatic:
      if (options.max_length && options.padding == Padding::none) rules.truncation = TruncationStrategy::longest_first;
      break;
    case Truncation::none:
      break;
    case Truncation::longest_first:
      rules.truncation = TruncationStrategy::longest_first;
      break;
    case Truncation::only_first:
      rules.truncation = TruncationStrategy::only_first;
      break;
    case Truncation::only_second:
      rules.truncation = TruncationStrategy::only_second;
      break;
  }
  const std::optional<int64_t> max_length = options.max_length ? options.max_length : defaults.model_max_length;
  if (!max_length) {
    rules.truncation = TruncationStrategy::none;
    if (rules.padding == Padding::max_length) rules.padding = Padding::none;
    return rules;
  }
  rules.max_length = *max_length;
  rules.padded_length = *max_length;
  if (rules.truncation == TruncationStrategy::none) return rules;

  if (rules.padding != Padding::none && rules.multiple > 0) {
    require(*max_length % rules.multiple == 0, "max_length",
            "a multiple of pad_to_multiple_of, " + std::to_string(rules.multiple) + ", with truncation and padding",
            *max_length);
  }
  constexpr int64_t kSpecialTokens = 2;  // the reference counts them here with or without add_special_tokens
  if (*max_length >= kSpecialTokens) {
    require(options.stride <= *max_length - kSpecialTokens, "stride",
            "less than max_length without special tokens, " + std::to_string(*max_length - kSpecialTokens),
            options.stride);
  }
  return rules;
}

}  // namespace tw
