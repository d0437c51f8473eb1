// Which pieces of a text, or of a pair of texts, are kept (tokenizers 0.15.2, utils/truncation.rs, Encoding::truncate).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tw {

enum class TruncationStrategy { none, longest_first, only_first, only_second };
enum class Side { right, left };  // the side at which pieces are cut off, or padding stands

struct TruncationRule {
  TruncationStrategy strategy = TruncationStrategy::none;
  int64_t target = 0;  // pieces of both texts together, special tokens not counted
  int64_t stride = 0;  // pieces that neighbouring windows share
  Side side = Side::right;
};

// Pieces [begin, end) of a text.
struct Window {
  int64_t begin, end;
};

// The windows of the first and the second text: what is kept, then what overflowed. `second` is empty without a pair.
struct PairWindows {
  std::vector<Window> first, second;
};

// Throws invalid_argument, naming `text`, when the rule cannot be met: only_second without a second text, the text to
// be cut is not longer than what must go, or the stride is not smaller than the window.
PairWindows truncate_pair(int64_t first, std::optional<int64_t> second, const TruncationRule& rule,
                          const std::string& text);

}  // namespace tw
