// Text cleaning of the BERT tokenizer, one character at a time (tokenizers 0.15.2, normalizers/bert.rs).
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/unicode.h"

namespace tw {

// The four steps in their order. Each may be off.
struct NormalizerSteps {
  bool clean_text = true;            // delete control, format and private-use characters; white space becomes U+0020
  bool handle_chinese_chars = true;  // a space on both sides of each ideograph
  bool strip_accents = true;         // canonical decomposition, then non-spacing marks are deleted
  bool lowercase = true;             // character by character
};

// A character of the normalised text and the part of the source it stands for, in the units that `push` was given.
struct NormalizedChar {
  char32_t code;
  uint32_t begin;
  uint32_t end;
  uint16_t flags;  // unicode::traits(code).flags
};

// Push the characters of a text, take the result from `output` at any time (and clear it), call `finish` at the end.
// Time is linear in the number of characters. One text at a time; not thread-safe.
class Normalizer {
 public:
  explicit Normalizer(const NormalizerSteps& steps);

  // A source character that covers [begin, end) of the source.
  void push(char32_t code, uint32_t begin, uint32_t end) {
    const unicode::Traits traits = unicode::traits(code);
    const Span span{begin, end};
    const int steps = traits.flags & flags_with_steps_;
    if ((steps & ~unicode::kCjk) != 0 || traits.combining_rank != 0) return push_slow(code, traits, span);
    // Nothing happens to most characters, or only the spaces around an ideograph.
    flush_run();
    starter_ = span;
    if (steps != 0) emit(' ', space_, span);
    emit(code, traits, span);
    if (steps != 0) emit(' ', space_, span);
  }
  // Releases what waits for its order to be known. The object is ready for the next text afterwards.
  void finish() { flush_run(); }

  std::vector<NormalizedChar>& output() { return output_; }

 private:
  struct Span {
    uint32_t begin, end;
  };
  // A combining character of the run that is being collected.
  struct Combining {
    char32_t code;
    unicode::Traits traits;
    bool first_of_source;  // first, or only, part of its source character's decomposition
  };

  void push_slow(char32_t code, unicode::Traits traits, Span span);
  void decompose(char32_t code, unicode::Traits traits, Span span);
  void collect(const Combining& c, Span span);
  void flush_run() {
    if (!run_.empty()) end_run();
  }
  void end_run();
  void sort_run();
  void lower(char32_t code, unicode::Traits traits, Span span);
  void emit(char32_t code, unicode::Traits traits, Span span) {
    output_.push_back({code, span.begin, span.end, traits.flags});
  }

  NormalizerSteps steps_;
  uint16_t flags_with_steps_ = 0;  // flags that a step which is on looks at
  unicode::Traits space_ = unicode::traits(' ');
  std::vector<NormalizedChar> output_;

  // Combining characters after the last starter, in text order; their sources; whether any survives accent stripping.
  std::vector<Combining> run_;
  std::vector<Span> run_sources_;
  Span starter_ = {0, 0};
  bool run_has_survivor_ = false;
  std::vector<Combining> sorted_;  // scratch of sort_run
};

}  // namespace tw
