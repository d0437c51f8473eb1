#include "tokenizer/truncation.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace tw {
namespace {

std::vector<Window> cut(int64_t size, int64_t length, const TruncationRule& rule, const std::string& text) {
  if (size <= length) return {{0, size}};
  if (length == 0) return {{0, 0}, {0, size}};
  if (rule.stride >= length) {
    throw Error(ErrorCode::invalid_argument,
                {.file = text,
                 .field = "stride",
                 .expected = "less than " + std::to_string(length) + ", what max_length leaves for the pieces",
                 .found = std::to_string(rule.stride)});
  }
  std::vector<Window> windows;
  const int64_t step = length - rule.stride;
  for (int64_t skipped = 0; windows.empty() || skipped + rule.stride < size; skipped += step) {
    const int64_t taken = std::min(length, size - skipped);
    if (rule.side == Side::right) {
      windows.push_back({skipped, skipped + taken});
    } else {
      windows.push_back({size - skipped - taken, size - skipped});
    }
  }
  return windows;
}

// How longest_first shares the target: the shorter text keeps all it has, unless both are longer than half.
std::pair<int64_t, int64_t> share(int64_t first, int64_t second, int64_t target) {
  const bool swapped = first > second;
  int64_t shorter = swapped ? second : first;
  int64_t longer = shorter > target ? shorter : std::max(shorter, target - shorter);
  if (shorter + longer > target) {
    shorter = target / 2;
    longer = shorter + target % 2;
  }
  return swapped ? std::pair{longer, shorter} : std::pair{shorter, longer};
}

}  // namespace

PairWindows truncate_pair(int64_t first, std::optional<int64_t> second, const TruncationRule& rule,
                          const std::string& text) {
  const int64_t total = first + second.value_or(0);
  if (rule.strategy == TruncationStrategy::none || total <= rule.target) {
    return {{{0, first}}, second ? std::vector<Window>{{0, *second}} : std::vector<Window>{}};
  }
  if (rule.target == 0) {
    return {cut(first, 0, rule, text), second ? cut(*second, 0, rule, text) : std::vector<Window>{}};
  }
  if (rule.strategy == TruncationStrategy::longest_first) {
    if (!second) return {cut(first, rule.target, rule, text), {}};
    const auto [keep_first, keep_second] = share(first, *second, rule.target);
    return {cut(first, keep_first, rule, text), cut(*second, keep_second, rule, text)};
  }

  const bool cut_first = rule.strategy == TruncationStrategy::only_first;
  if (!cut_first && !second) {
    throw Error(ErrorCode::invalid_argument,
                {.file = text, .field = "truncation", .expected = "a second text for only_second", .found = "none"});
  }
  const int64_t size = cut_first ? first : *second;
  const int64_t keep = size - (total - rule.target);
  if (keep <= 0) {
    throw Error(ErrorCode::invalid_argument,
                {.file = text,
                 .field = "max_length",
                 .expected = "enough for the text that is not cut and one piece of the other",
                 .found = "room for " + std::to_string(rule.target) + " pieces, " + std::to_string(total - size) +
                          " of them taken"});
  }
  const Window all{0, cut_first ? second.value_or(0) : first};
  std::vector<Window> windows = cut(size, keep, rule, text);
  if (cut_first) return {std::move(windows), second ? std::vector<Window>{all} : std::vector<Window>{}};
  return {{all}, std::move(windows)};
}

}  // namespace tw
