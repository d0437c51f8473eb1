/* Part of tuwen.h, which is the file to include: the towers with every input and output that transformers 4.37.2
 * documents for ChineseCLIPTextModel, ChineseCLIPVisionModel and ChineseCLIPModel. */
#ifndef TUWEN_FORWARD_H
#define TUWEN_FORWARD_H

#include "tuwen/tuwen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Forward passes -----------------------------------------------------------------------------------------------
 *
 * Where the encode calls give embeddings of texts and pictures, these take padded arrays and masks and give what was
 * asked for: every hidden state, attention probabilities, a key/value cache. They compute every row of every layer and
 * allocate their outputs; what is said in float32 agrees with the encode calls to 1e-5.
 *
 * Letters: B items (texts or pictures), L tokens of each, P tokens in the cache, K = P + L keys, E encoder tokens,
 * H the tower's width, A its attention heads (of a layer: fewer where some are pruned), d = H / A before pruning,
 * N layers, J the embedding size. */

/* A float array that is read or was made: row-major without gaps. As an input, all zeros (data NULL, rank 0) means that
 * it is not given. NaN and infinity in an input are TUWEN_NON_FINITE. */
typedef struct tuwen_array {
  const char* name;  /* of an output; not looked at in an input */
  const float* data; /* may be NULL where a dimension is 0 */
  int32_t rank;      /* 1 to 4; 0: not given */
  int32_t reserved;  /* 0 */
  int64_t shape[4];  /* [rank]; what is behind the rank is 0 */
} tuwen_array;

/* The same of whole numbers. */
typedef struct tuwen_indices {
  const int64_t* data;
  int32_t rank;
  int32_t reserved; /* 0 */
  int64_t shape[2];
} tuwen_indices;

/* clang-format off */
/* Which outputs to make, as a sum; 0 stands for TUWEN_OUTPUT_DEFAULT. Their names in tuwen_outputs_get(), and shapes:
 *   LAST_HIDDEN_STATE   "last_hidden_state" [B, L, H]; of the image tower not normalised, as the reference has it
 *   POOLER              "pooler_output" [B, H]: tanh of the text tower's pooler, left out where the model has none; the
 *                       image tower's normalised class token
 *   HIDDEN_STATES       "hidden_states.0" [B, L, H], the embeddings (image: after pre_layrnorm), to "hidden_states.N"
 *   ATTENTIONS          "attentions.0" ... [B, A, L, K], after softmax and head mask; with an encoder also
 *                       "cross_attentions.0" ... [B, A, L, E]
 *   CACHE               of a decoder "past.0.key", "past.0.value" ... [B, A, K, d]; with an encoder also
 *                       "past.0.cross_key", "past.0.cross_value" ... [B, A, E, d]. Nothing of other models, as use_cache
 *   FEATURES            "features" [B, J], of a full model: get_text_features, get_image_features
 *   EMBEDS              "embeds" [B, J]: the same divided by their L2 norm
 * FEATURES and EMBEDS alone, of texts with no mask or one of zeros and ones, come from the faster encode path. */
/* clang-format on */
enum {
  TUWEN_OUTPUT_LAST_HIDDEN_STATE = 1,
  TUWEN_OUTPUT_POOLER = 2,
  TUWEN_OUTPUT_DEFAULT = 3,
  TUWEN_OUTPUT_HIDDEN_STATES = 4,
  TUWEN_OUTPUT_ATTENTIONS = 8,
  TUWEN_OUTPUT_CACHE = 16,
  TUWEN_OUTPUT_FEATURES = 32,
  TUWEN_OUTPUT_EMBEDS = 64
};

/* What a forward pass made. Immutable; tuwen_outputs_free(). */
typedef struct tuwen_outputs tuwen_outputs;

TUWEN_API size_t tuwen_outputs_count(const tuwen_outputs* outputs);
/* The index-th, in the order of the list above; layers ascending, past.N.key before past.N.value and so on. Name and
 * data live as long as the tuwen_outputs. */
TUWEN_API tuwen_status tuwen_outputs_at(const tuwen_outputs* outputs, size_t index, tuwen_array* array);
TUWEN_API tuwen_status tuwen_outputs_get(const tuwen_outputs* outputs, const char* name, tuwen_array* array);
TUWEN_API void tuwen_outputs_free(tuwen_outputs* outputs);

/* The inputs of ChineseCLIPTextModel.forward, and what is wanted of it. Set struct_size; the rest may be zero. An error
 * names the argument as it is called here. */
typedef struct tuwen_text_inputs {
  uint32_t struct_size;
  uint32_t outputs;             /* TUWEN_OUTPUT_...; 0: the default */
  tuwen_indices input_ids;      /* [B, L], or: */
  tuwen_array inputs_embeds;    /* [B, L, H] in the place of the word embeddings; exactly one of the two */
  tuwen_indices token_type_ids; /* [B, L] or [1, L]; not given: all 0 */
  tuwen_indices position_ids;   /* [B, L] or [1, L]; not given: P, P + 1 ... P + L - 1; P + L is at most the length of
                                   the position table either way */
  /* 1 for a key to see, 0 for one to leave out; numbers between weigh linearly: (1 - mask) * -3.4028235e38 is added to
   * the scores, so that a row of zeros sees every key alike. [B, K], where B may be 1 and K may be 1; a decoder's
   * queries then also see only what comes before them. [B, L, K] is one row of keys for each query (where each
   * dimension may be 1), and the only rule. Not given: all 1. */
  tuwen_array attention_mask;
  tuwen_array head_mask; /* [A] or [N, A]: factors of the probabilities, after softmax and in cross-attention too */
  /* Only a decoder looks at these; its layers need add_cross_attention. [B, E, H], and its mask [B, E] or [B, L, E]. */
  tuwen_array encoder_hidden_states, encoder_attention_mask;
  /* "past" outputs of earlier tokens of the same texts, layer after layer: key [B, A, P, d], value [B, A, P, d], and
   * with an encoder the cross_key and cross_value [B, A, E, d] too. 2 N or 4 N arrays. Only a decoder takes them. */
  const tuwen_array* past_key_values;
  size_t past_key_value_count;
  double timeout_seconds; /* TUWEN_CANCELLED when it takes longer, looked at between layers; 0: no limit */
} tuwen_text_inputs;

/* Runs the text tower, on any kind of model that has one: encoder or decoder, absolute or relative positions, pruned
 * heads, each precision (attention of these calls is float32 in all). tuwen_session_cancel() works. */
TUWEN_API tuwen_status tuwen_text_forward(tuwen_session* session, const tuwen_text_inputs* inputs,
                                          tuwen_outputs** outputs);

/* The inputs of ChineseCLIPVisionModel.forward. */
typedef struct tuwen_vision_inputs {
  uint32_t struct_size;
  uint32_t outputs;         /* TUWEN_OUTPUT_...; 0: the default */
  tuwen_array pixel_values; /* [B, C, height, width] */
  /* 1: pictures may have any size from one patch to 4,096 patches in all, and the position table is interpolated to
   * their grid (bicubic with a = -0.75, corners not aligned, as transformers 4.46 and later do when asked to);
   * 0: height and width are the model's image_size, or it is an error. */
  int32_t interpolate_pos_encoding;
  int32_t reserved;       /* 0 */
  double timeout_seconds; /* as above */
} tuwen_vision_inputs;

TUWEN_API tuwen_status tuwen_vision_forward(tuwen_session* session, const tuwen_vision_inputs* inputs,
                                            tuwen_outputs** outputs);

#ifdef __cplusplus
}
#endif

#endif
