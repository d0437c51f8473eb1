// What the full driver of the text tower is asked besides the plain one.
#pragma once

#include <span>

#include "kernels/ops.h"

namespace tw {

// The rows of an encoder that a decoder looks at; nothing without one.
struct BertEncoder {
  Tensor rows;  // [items E, H] as products read them; without data where keys and values come from a cache
  Tensor kv;    // [items E, 2 Hp] room for one layer's keys and values, f32
  std::span<const Sequence> by_row;    // each item's queries and its rows of `rows`
  std::span<const Sequence> by_block;  // each item's queries and its rows of head blocks [items, heads, E, d]
};

// What is added to one layer. A HeadBlocks whose `to` is null is not made.
struct BertPass {
  AttentionTerms self;                 // the layer adds its own distances
  HeadBlocks keys{}, values{};         // the cache that this layer leaves; if made, attention reads it
  std::span<const Sequence> by_block;  // each item's queries and its rows of those blocks
  const BertEncoder* encoder = nullptr;
  AttentionTerms cross;
  HeadBlocks cross_keys{}, cross_values{};                     // made of the encoder's rows
  const float *given_keys = nullptr, *given_values = nullptr;  // or blocks of an earlier call, read as they are
};

// `items` texts of `length` tokens, padding included; R = items * length rows. Ids are valid.
struct BertRequest {
  int64_t items, length;
  const float* embeds;                           // [R, H] in the place of word embeddings, or null
  const int32_t *ids, *type_ids, *position_ids;  // [R]; with embeds, ids count their rows
  std::span<const Sequence> sequences;           // [items]
  std::span<const int64_t> first_rows;           // [items]
  std::span<const BertPass> passes;              // [layers]
  std::span<float* const> hidden_states;         // [layers + 1] each [R, H]; null where not wanted
  float* last_hidden_state;                      // [R, H] or null
  float* pooler_output;                          // [items, H] or null; only with a pooler
};

}  // namespace tw
