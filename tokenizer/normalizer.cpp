#include "tokenizer/normalizer.h"

#include <algorithm>
#include <array>

namespace tw {

using unicode::Traits;

Normalizer::Normalizer(const NormalizerSteps& steps) : steps_(steps) {
  unsigned flags = 0;
  if (steps.clean_text) flags |= unicode::kDropped | unicode::kSpace;
  if (steps.handle_chinese_chars) flags |= unicode::kCjk;
  if (steps.strip_accents) flags |= unicode::kDecomposes | unicode::kMark;
  if (steps.lowercase) flags |= unicode::kHasLower;
  flags_with_steps_ = static_cast<uint16_t>(flags);
}

void Normalizer::push_slow(char32_t code, Traits traits, Span span) {
  if (steps_.clean_text) {
    if (traits.flags & unicode::kDropped) return;
    if (traits.flags & unicode::kSpace) {
      code = ' ';
      traits = space_;
    }
  }
  const bool isolated = steps_.handle_chinese_chars && (traits.flags & unicode::kCjk);
  if (isolated) decompose(' ', space_, span);
  decompose(code, traits, span);
  if (isolated) decompose(' ', space_, span);
}

void Normalizer::decompose(char32_t code, Traits traits, Span span) {
  if (!steps_.strip_accents) return lower(code, traits, span);
  if (traits.combining_rank == 0 && !(traits.flags & unicode::kDecomposes)) {
    flush_run();
    starter_ = span;
    if (!(traits.flags & unicode::kMark)) lower(code, traits, span);
    return;
  }
  bool first = true;
  for (const char32_t part : unicode::decompose(code)) {
    const Traits part_traits = unicode::traits(part);
    if (part_traits.combining_rank != 0) {
      collect({part, part_traits, first}, span);
    } else {
      flush_run();
      starter_ = span;
      if (!(part_traits.flags & unicode::kMark)) lower(part, part_traits, span);
    }
    first = false;
  }
}

void Normalizer::collect(const Combining& c, Span span) {
  run_.push_back(c);
  if (c.first_of_source) run_sources_.push_back(span);
  if (!(c.traits.flags & unicode::kMark)) run_has_survivor_ = true;
}

// Canonical order, then accent stripping. The reference aligns by counting: whichever part comes first in the new order
// takes the first source not yet taken, and a part that is not the first of its source shares the one taken last.
void Normalizer::end_run() {
  if (run_has_survivor_) {
    sort_run();
    Span taken = starter_;
    size_t next = 0;
    for (const Combining& c : run_) {
      if (c.first_of_source) taken = run_sources_[next++];
      if (!(c.traits.flags & unicode::kMark)) lower(c.code, c.traits, taken);
    }
  }
  run_.clear();
  run_sources_.clear();
  run_has_survivor_ = false;
}

// Stable, by rank. Counting keeps a run of a million marks linear.
void Normalizer::sort_run() {
  constexpr size_t kShort = 32;
  const auto rank = [](const Combining& c) { return c.traits.combining_rank; };
  if (run_.size() <= kShort) {
    for (size_t i = 1; i < run_.size(); ++i) {
      for (size_t j = i; j > 0 && rank(run_[j]) < rank(run_[j - 1]); --j) std::swap(run_[j], run_[j - 1]);
    }
    return;
  }
  std::array<size_t, 257> begin{};
  for (const Combining& c : run_) ++begin[rank(c) + 1u];
  for (size_t r = 1; r < begin.size(); ++r) begin[r] += begin[r - 1];
  sorted_.resize(run_.size());
  for (const Combining& c : run_) sorted_[begin[rank(c)]++] = c;
  run_.swap(sorted_);
}

void Normalizer::lower(char32_t code, Traits traits, Span span) {
  if (!steps_.lowercase || !(traits.flags & unicode::kHasLower)) return emit(code, traits, span);
  for (const char32_t part : unicode::lower(code)) emit(part, unicode::traits(part), span);
}

}  // namespace tw
