/* Part of tuwen.h, which is the file to include: weights as named tensors, before and after they are a model. */
#ifndef TUWEN_CHECKPOINT_H
#define TUWEN_CHECKPOINT_H

#include "tuwen/tuwen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Checkpoints --------------------------------------------------------------------------------------------------
 *
 * The text of a config.json and named tensors, in transformers' names. model_type decides what it is: "chinese_clip"
 * (both towers, "text_model.*", "vision_model.*", the projections and "logit_scale"), or one tower that stands alone:
 * "chinese_clip_text_model" (the names without "text_model."; "pooler.dense.*" is optional) or
 * "chinese_clip_vision_model" (the names with "vision_model.", as the reference has them). A directory of cn_clip's
 * weights is seen under transformers' names.
 *
 * Immutable; functions on one may run at the same time; tuwen_checkpoint_free(). Making one from another copies no
 * weights that stay the same. */
typedef struct tuwen_checkpoint tuwen_checkpoint;

typedef int32_t tuwen_dtype;
enum {
  TUWEN_DTYPE_F32 = 0,
  TUWEN_DTYPE_F16 = 1,
  TUWEN_DTYPE_BF16 = 2,
  TUWEN_DTYPE_F64 = 3,
  TUWEN_DTYPE_I64 = 4,
  TUWEN_DTYPE_I32 = 5,
  TUWEN_DTYPE_I16 = 6,
  TUWEN_DTYPE_I8 = 7,
  TUWEN_DTYPE_U8 = 8,
  TUWEN_DTYPE_BOOL = 9
};

typedef struct tuwen_tensor {
  const char* name;
  tuwen_dtype dtype;
  int32_t rank;         /* 0 to 8; 0: a scalar */
  const int64_t* shape; /* [rank]; may be NULL when rank is 0 */
  const void* data;     /* row-major without gaps. From tuwen_checkpoint_at(): NULL, as the weights may lie in a file */
  size_t size;          /* bytes of the tensor: product(shape) times the element's size */
} tuwen_tensor;

/* config.json and the headers of the weights' files; weights are read when they are asked for. A missing or broken
 * file, or a configuration out of range, is an error here; that names and shapes fit the configuration is checked when
 * a model is made of it. */
TUWEN_API tuwen_status tuwen_checkpoint_open(const char* directory, tuwen_checkpoint** checkpoint);

typedef struct tuwen_create_options {
  uint32_t struct_size;
  int32_t borrow; /* 1: data is not copied, and has to stay as it is while the checkpoint, or one made of it, lives */
} tuwen_create_options;

/* Of tensors in memory. config_json is the text of a config.json, of config_size bytes. */
TUWEN_API tuwen_status tuwen_checkpoint_create(const char* config_json, size_t config_size, const tuwen_tensor* tensors,
                                               size_t count, const tuwen_create_options* options,
                                               tuwen_checkpoint** checkpoint);

typedef struct tuwen_random_options {
  uint32_t struct_size;
  int32_t without_pooler; /* 1: a text tower that stands alone gets no pooler (add_pooling_layer=False) */
  uint64_t seed;          /* the same seed gives the same weights, whatever the number of threads */
  int32_t threads;        /* 0: all CPUs this process may use */
  int32_t reserved;       /* 0 */
} tuwen_random_options;

/* Of a configuration alone: float32 weights drawn from the distributions that the reference draws a new model's from
 * (transformers 4.37.2, ChineseCLIPPreTrainedModel._init_weights, with the configuration's initializer_range and
 * initializer_factor). The numbers are not torch's. */
TUWEN_API tuwen_status tuwen_checkpoint_random(const char* config_json, size_t config_size,
                                               const tuwen_random_options* options, tuwen_checkpoint** checkpoint);
TUWEN_API void tuwen_checkpoint_free(tuwen_checkpoint* checkpoint);

/* The text of config.json; lives as long as the checkpoint. */
TUWEN_API tuwen_status tuwen_checkpoint_get_config(const tuwen_checkpoint* checkpoint, tuwen_text* config_json);

TUWEN_API size_t tuwen_checkpoint_count(const tuwen_checkpoint* checkpoint);
/* The index-th tensor, in the file's order. Its name and shape live as long as the checkpoint. */
TUWEN_API tuwen_status tuwen_checkpoint_at(const tuwen_checkpoint* checkpoint, size_t index, tuwen_tensor* tensor);
/* The index of a name; TUWEN_MISSING_TENSOR if there is none of that name. */
TUWEN_API tuwen_status tuwen_checkpoint_find(const tuwen_checkpoint* checkpoint, const char* name, size_t* index);

/* Copies a tensor as it is stored, row-major without gaps; `size` is its size in bytes. */
TUWEN_API tuwen_status tuwen_checkpoint_read(const tuwen_checkpoint* checkpoint, size_t index, void* out, size_t size);
/* The same as float32, of any floating-point type; `count` is the number of elements. */
TUWEN_API tuwen_status tuwen_checkpoint_read_f32(const tuwen_checkpoint* checkpoint, size_t index, float* out,
                                                 size_t count);

/* The same tensors with another config.json. */
TUWEN_API tuwen_status tuwen_checkpoint_with_config(const tuwen_checkpoint* checkpoint, const char* config_json,
                                                    size_t config_size, tuwen_checkpoint** changed);

/* One tower out of a full checkpoint, as a checkpoint that stands alone: its part of config.json and its tensors.
 * `tower` is TUWEN_TEXT_TOWER or TUWEN_IMAGE_TOWER. A checkpoint of that tower alone comes back as it is; of the other
 * one: TUWEN_INVALID_ARGUMENT. */
TUWEN_API tuwen_status tuwen_checkpoint_tower(const tuwen_checkpoint* checkpoint, tuwen_towers tower,
                                              tuwen_checkpoint** alone);

/* Attention heads of the text tower taken out: head heads[i] of layer layers[i], i < count, by their numbers before any
 * were pruned; those that are gone already are passed over. The rows of query, key and value and the columns of the
 * output product that belong to them go, and config.json's pruned_heads grows. At least one head of a layer stays. */
TUWEN_API tuwen_status tuwen_checkpoint_prune_heads(const tuwen_checkpoint* checkpoint, const int64_t* layers,
                                                    const int64_t* heads, size_t count, tuwen_checkpoint** pruned);

/* Writes config.json and model.safetensors into a directory, which is made if it is not there. Both files get their
 * names when both are complete. Other weights files in the directory are left as they are. */
TUWEN_API tuwen_status tuwen_checkpoint_save(const tuwen_checkpoint* checkpoint, const char* directory);

/* A model of the checkpoint, without a processor (as with options->without_processor). The checkpoint may be freed as
 * soon as this returns. A tower that stands alone has no embeddings: encoding with it is an error, and
 * tuwen_text_forward() or tuwen_vision_forward() runs it. */
TUWEN_API tuwen_status tuwen_model_load_checkpoint(const tuwen_checkpoint* checkpoint,
                                                   const tuwen_load_options* options, tuwen_model** model);

/* Sends the calibration pictures and texts of `options` (or a built-in set) through the f32 model of a directory and
 * writes what its products were fed to `file` (safetensors, some 100 KB a layer): int8 and FP8 models are then made by
 * that, the same ones everywhere and without the pictures (tuwen_load_options.calibration_file). options->precision
 * does not count. The file appears whole or not at all. */
TUWEN_API tuwen_status tuwen_calibrate(const char* directory, const tuwen_load_options* options, const char* file);

/* The text of the config.json that the model was made by; lives as long as the model. */
TUWEN_API tuwen_status tuwen_model_get_config(const tuwen_model* model, tuwen_text* config_json);

#ifdef __cplusplus
}
#endif

#endif
