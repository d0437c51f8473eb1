// The inputs of a forward pass with everything that the reference documents, and their checks. Letters as in the
// public header tuwen/forward.h: B items, L tokens, P cached ones, K = P + L, E encoder tokens, H width, A heads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/bert.h"
#include "models/outputs.h"
#include "models/vit.h"

namespace tw {

// An array that the caller owns; rank 0: not given.
template <class T>
struct Given {
  const T* data = nullptr;
  int rank = 0;
  int64_t shape[4] = {0, 0, 0, 0};

  explicit operator bool() const { return rank != 0; }
};

// What a pass is to make.
struct Wanted {
  bool last_hidden_state = false, pooler = false, hidden_states = false, attentions = false, cache = false,
       features = false, embeds = false;

  bool only(bool Wanted::*what) const {
    Wanted one;
    one.*what = true;
    return *this == one;
  }
  bool operator==(const Wanted&) const = default;
};

struct TextForward {
  Wanted wanted;
  Given<int64_t> input_ids, token_type_ids, position_ids;
  Given<float> inputs_embeds, attention_mask, head_mask, encoder_hidden_states, encoder_attention_mask;
  std::span<const Given<float>> past_key_values;  // key, value [, cross key, cross value] of layer after layer
};

struct VisionForward {
  Wanted wanted;
  Given<float> pixel_values;
  bool interpolate = false;  // the position table to the grid of the pictures
};

// A mask as it is added to scores: rows of bias, or nothing where it hides nothing.
struct MaskBias {
  std::vector<float> values;
  int64_t item = 0, query = 0;  // floats from one item or query to the next; 0: the same

  const float* data() const { return values.empty() ? nullptr : values.data(); }
};

// (1 - mask) times the lowest f32, in f32, as the reference computes it. mask [B, keys] or [B, queries, keys], each
// dimension also 1.
MaskBias mask_bias(const Given<float>& mask, int64_t items, int64_t queries, int64_t keys);

// The inputs of a text pass, checked against the model. Throws invalid_argument or non_finite naming the argument.
struct TextInputs {
  TextInputs(const TextForward& given, const Bert& model);

  int64_t items, length, past, encoder_length;       // B, L, P, E (0 without an encoder)
  bool has_encoder, past_has_encoder;                // the cache holds the encoder's keys and values
  bool causal;                                       // besides the mask
  std::vector<int32_t> ids, type_ids, position_ids;  // [B L]
  MaskBias mask, encoder_mask;
  std::vector<float> head_mask;  // [layers, A], or empty

  int64_t keys() const { return past + length; }
};

// For embeddings alone: the texts without what their mask hides, if leaving that out gives the same numbers.
struct PlainTexts {
  std::vector<int32_t> ids, type_ids, position_ids;
  std::vector<int64_t> offsets = {0};
};
std::optional<PlainTexts> plain_texts(const TextForward& given, const TextInputs& inputs, const Bert& model);

// Checks pixel_values [B, C, height, width] against the model.
void check_pixels(const VisionForward& given, const VisionConfig& config);

// The position table [1 + N, D], row 0 the class token's, at another grid: the patches' rows as an image of N = n n
// pixels are resized by bicubic interpolation (a = -0.75, corners not aligned, edges repeated), row 0 stays.
// torch.nn.functional.interpolate as CLIPVisionEmbeddings.interpolate_pos_encoding of transformers 4.46 calls it.
std::vector<float> interpolated_positions(const float* table, int64_t n, int64_t rows, int64_t columns, int64_t width);

}  // namespace tw
