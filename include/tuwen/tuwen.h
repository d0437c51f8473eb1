/* tuwen: Chinese-CLIP image and text embeddings. This is the C interface: all that libtuwen.so exports, and its manual.
 * tuwen.hpp is the same for C++20: owning handles, spans, exceptions.
 *
 * A directory as Hugging Face lays it out is loaded once into a model, which is immutable and shared by any number of
 * threads. A session holds the scratch memory and the threads of one caller. Encoding gives one vector a picture or
 * text; comparing vectors gives logits and probabilities.
 *
 *   tuwen_model* model;  tuwen_session* session;  tuwen_image* image;
 *   if (tuwen_model_load("chinese-clip-vit-base-patch16", NULL, &model) != TUWEN_OK) puts(tuwen_last_error()->message);
 *   tuwen_session_create(model, NULL, &session);
 *   tuwen_image_read("cat.jpg", NULL, &image);
 *   tuwen_encode_images(session, (const tuwen_image* const*)&image, 1, NULL, image_embedding);
 *   tuwen_encode_texts(session, texts, 4, NULL, text_embeddings);
 *   tuwen_logits(model, image_embedding, 1, text_embeddings, 4, logits, NULL);
 *   tuwen_softmax(logits, 1, 4, probabilities);
 *
 * Conventions
 *   Status    Every function that can fail returns TUWEN_OK or the reason; tuwen_last_error() says the rest. A failed
 *             call leaves its outputs untouched, and every object as usable as before. The library never prints, never
 *             ends the process and lets no C++ exception out.
 *   Options   An option struct begins with its size: `tuwen_load_options o = {sizeof o};`. Zero is the default of every
 *             other field, and a null pointer stands for all defaults. An older program runs on a newer library as is.
 *   Matrices  float32, row-major, without gaps; shapes are written [rows, columns]. Output arrays belong to the caller.
 *   Text      UTF-8 with a length, zero bytes allowed. Invalid UTF-8 is read as U+FFFD, which the tokenizer drops.
 *             Paths are zero-terminated.
 *   Handles   Made by ..._load, ..._create, ..._read; given back once to the function named at the type. Giving back
 *             NULL does nothing. A handle that something else still needs (a session's model) lives until that is gone.
 *   Threads   Functions on const handles may run at the same time. A session is for one call at a time: a second one
 *             gets TUWEN_BUSY. Different sessions are independent.
 *   Numbers   An embedding has the same bits alone or in any batch, with any number of threads, for a given model
 *             precision and instruction set. Embeddings agree with transformers 4.37.2 to 1e-5 in f32.
 */
#ifndef TUWEN_H
#define TUWEN_H

#include <stddef.h>
#include <stdint.h>

#include "tuwen/version.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TUWEN_API __attribute__((visibility("default")))

/* ---- Status and errors ------------------------------------------------------------------------------------------ */

typedef int32_t tuwen_status;
enum {
  TUWEN_OK = 0,
  TUWEN_INVALID_ARGUMENT = 1, /* the caller's value is wrong */
  TUWEN_IO_ERROR = 2,         /* the operating system refused */
  TUWEN_TRUNCATED = 3,        /* a file ends before its content does */
  TUWEN_MALFORMED = 4,        /* a file's content contradicts its format */
  TUWEN_UNSUPPORTED = 5,      /* valid, but not something this library reads or runs */
  TUWEN_LIMIT_EXCEEDED = 6,   /* valid, but larger than a limit or budget */
  TUWEN_SHAPE_MISMATCH = 7,   /* a tensor has other dimensions than the configuration asks for */
  TUWEN_MISSING_TENSOR = 8,   /* a tensor that the configuration asks for is not there */
  TUWEN_NON_FINITE = 9,       /* NaN or infinity where a finite number is needed */
  TUWEN_OUT_OF_MEMORY = 10,
  TUWEN_BUSY = 11,      /* the session is in use by another thread */
  TUWEN_CANCELLED = 12, /* the caller asked to stop */
  TUWEN_INTERNAL = 13   /* a defect of the library */
};

/* Why the last call of this thread that failed did so. Strings are never NULL and may be empty. */
typedef struct tuwen_error {
  tuwen_status status;
  const char* message;  /* everything below in one line, safe to print */
  const char* file;     /* path, or what stands for it: "text[3]", "image[0]" */
  const char* field;    /* tensor, JSON key, argument, byte offset */
  const char* expected; /* such as "[768, 768]" */
  const char* found;    /* such as "[768, 512]" */
  const char* note;
} tuwen_error;

/* Of the calling thread; status TUWEN_OK if none failed yet. Valid until the thread's next failing call. */
TUWEN_API const tuwen_error* tuwen_last_error(void);

/* The lower-case name, such as "invalid argument"; "?" for a number that is none. */
TUWEN_API const char* tuwen_status_name(tuwen_status status);

/* The version of the loaded library, such as "0.1.0". */
TUWEN_API const char* tuwen_version(void);

/* ---- Texts, and what a processor does with them ------------------------------------------------------------------ */

typedef struct tuwen_text {
  const char* data; /* may be NULL when size is 0 */
  size_t size;      /* bytes */
} tuwen_text;

/* The tokenizer and the image options of a model directory, without its weights. Immutable; tuwen_processor_free(). */
typedef struct tuwen_processor tuwen_processor;

/* Reads tokenizer.json or vocab.txt with tokenizer_config.json, and preprocessor_config.json, from `directory`. */
TUWEN_API tuwen_status tuwen_processor_load(const char* directory, tuwen_processor** processor);
TUWEN_API void tuwen_processor_free(tuwen_processor* processor);

typedef int32_t tuwen_padding;
enum { TUWEN_PADDING_NONE = 0, TUWEN_PADDING_LONGEST = 1, TUWEN_PADDING_MAX_LENGTH = 2 };

typedef int32_t tuwen_truncation;
enum {
  TUWEN_TRUNCATION_NONE = 0,
  TUWEN_TRUNCATION_LONGEST_FIRST = 1,
  TUWEN_TRUNCATION_ONLY_FIRST = 2,
  TUWEN_TRUNCATION_ONLY_SECOND = 3
};

typedef int32_t tuwen_side;
enum { TUWEN_RIGHT = 0, TUWEN_LEFT = 1 };

typedef struct tuwen_tokenize_options {
  uint32_t struct_size;
  tuwen_padding padding;
  tuwen_truncation truncation;
  tuwen_side padding_side;
  tuwen_side truncation_side;
  int32_t no_special_tokens;    /* 1: no [CLS] and [SEP] around the text */
  int32_t split_special_tokens; /* 1: "[SEP]" in a text is ordinary characters, so that a text cannot end itself */
  int32_t threads;              /* of a large batch; 0: all CPUs this process may use */
  int64_t max_length;           /* tokens, special ones included; 0: the model's own limit, none if it states none */
  int64_t pad_to_multiple_of;   /* 0: off */
} tuwen_tokenize_options;

/* Token ids of a batch of texts. Immutable; tuwen_tokens_free(). */
typedef struct tuwen_tokens tuwen_tokens;

/* Row r is at [row_begin[r], row_begin[r + 1]) of each array; with padding all rows are equally long. The arrays belong
 * to the tuwen_tokens. */
typedef struct tuwen_tokens_view {
  size_t rows;
  const int64_t* row_begin;           /* [rows + 1] */
  const int32_t* ids;                 /* vocabulary entries */
  const int32_t* type_ids;            /* 0 for the first text and its special tokens, 1 for its pair */
  const int32_t* attention_mask;      /* 1 for a token, 0 for padding */
  const int32_t* special_tokens_mask; /* 1 for [CLS], [SEP] and padding */
  const int64_t* offsets; /* begin and end of each token in its text, in characters; 0, 0 for special ones */
} tuwen_tokens_view;

/* Tokenizes `count` texts, each with its pair where `pairs` is not NULL ([CLS] text [SEP] pair [SEP]). The ids are
 * those of BertTokenizerFast (transformers 4.37.2, tokenizers 0.15.2) on any input. Time is linear in the text. */
TUWEN_API tuwen_status tuwen_tokenize(const tuwen_processor* processor, const tuwen_text* texts,
                                      const tuwen_text* pairs, size_t count, const tuwen_tokenize_options* options,
                                      tuwen_tokens** tokens);
TUWEN_API tuwen_status tuwen_tokens_get(const tuwen_tokens* tokens, tuwen_tokens_view* view);
TUWEN_API void tuwen_tokens_free(tuwen_tokens* tokens);

/* The vocabulary's spelling of `id`, such as "##ing"; lives as long as the processor. */
TUWEN_API tuwen_status tuwen_token_text(const tuwen_processor* processor, int32_t id, tuwen_text* token);

enum { TUWEN_DECODE_SKIP_SPECIAL = 1, TUWEN_DECODE_NO_CLEANUP = 2 };

/* Joins ids to text as BertTokenizerFast.decode does (flags: TUWEN_DECODE_..., or 0). Writes at most `capacity` bytes,
 * nothing if they are too few, and sets *size to the bytes needed either way; `out` may be NULL when capacity is 0. */
TUWEN_API tuwen_status tuwen_decode(const tuwen_processor* processor, const int32_t* ids, size_t count, uint32_t flags,
                                    char* out, size_t capacity, size_t* size);

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

/* A decoded picture, 8 bits a channel, RGB. Immutable; tuwen_image_free(). */
typedef struct tuwen_image tuwen_image;

typedef struct tuwen_image_options {
  uint32_t struct_size;
  uint32_t reserved;  /* 0 */
  int64_t max_pixels; /* refuse larger pictures before decoding; 0: 67,108,864 */
  int64_t max_bytes;  /* refuse larger files; 0: 33,554,432 */
} tuwen_image_options;

/* JPEG, PNG, WebP or BMP, told apart by content; the first frame of an animation. Pixels are those of Pillow's
 * Image.open(...).convert("RGB"): alpha is dropped, EXIF orientation and colour profiles are ignored. */
TUWEN_API tuwen_status tuwen_image_read(const char* path, const tuwen_image_options* options, tuwen_image** image);
TUWEN_API tuwen_status tuwen_image_decode(const void* bytes, size_t size, const tuwen_image_options* options,
                                          tuwen_image** image);

typedef struct tuwen_pixels {
  const uint8_t* data;
  int64_t width, height; /* pixels */
  int64_t row_bytes;     /* from one row to the next, at least width * channels */
  int32_t channels;      /* 1 grey, 3 RGB, 4 RGBA (alpha is dropped) */
} tuwen_pixels;

/* Copies pixels that the caller decoded. `size` is the number of bytes behind pixels->data. */
TUWEN_API tuwen_status tuwen_image_from_pixels(const tuwen_pixels* pixels, size_t size, tuwen_image** image);
/* A view with 3 channels; its data lives as long as the image. */
TUWEN_API tuwen_status tuwen_image_get(const tuwen_image* image, tuwen_pixels* pixels);
TUWEN_API void tuwen_image_free(tuwen_image* image);

typedef int32_t tuwen_filter; /* Pillow's numbers */
enum { TUWEN_NEAREST = 0, TUWEN_LANCZOS = 1, TUWEN_BILINEAR = 2, TUWEN_BICUBIC = 3, TUWEN_BOX = 4, TUWEN_HAMMING = 5 };

/* The steps of ChineseCLIPImageProcessor, in this order. Unlike other option structs it has no defaults of its own:
 * tuwen_processor_get_preprocess() fills it with the model directory's values, which the caller may then change. */
typedef struct tuwen_preprocess_options {
  uint32_t struct_size;
  int32_t do_resize;
  int64_t resize_height, resize_width; /* pixels; both 0 when shortest_edge is used */
  int64_t shortest_edge, longest_edge; /* pixels; keep the aspect ratio. longest_edge 0: no limit */
  tuwen_filter filter;
  int32_t do_center_crop;
  int64_t crop_height, crop_width; /* pixels; zeros are added around a smaller picture */
  int32_t do_rescale;
  int32_t do_normalize;
  double rescale_factor;
  float mean[3], std[3];
  int32_t channels_last; /* 0: [3, height, width]; 1: [height, width, 3] */
  int32_t reserved;      /* 0 */
} tuwen_preprocess_options;

TUWEN_API tuwen_status tuwen_processor_get_preprocess(const tuwen_processor* processor,
                                                      tuwen_preprocess_options* options);

/* Height and width that tuwen_preprocess() gives for this picture. `options` NULL: the model directory's. */
TUWEN_API tuwen_status tuwen_preprocess_size(const tuwen_processor* processor, const tuwen_image* image,
                                             const tuwen_preprocess_options* options, int64_t* height, int64_t* width);

/* pixel_values of `count` pictures, [count, 3, height, width] or channels last, the reference's to the last bit. All
 * have to come out at one size. `size` is the number of floats behind pixel_values. */
TUWEN_API tuwen_status tuwen_preprocess(const tuwen_processor* processor, const tuwen_image* const* images,
                                        size_t count, const tuwen_preprocess_options* options, float* pixel_values,
                                        size_t size);

/* ---- Models ------------------------------------------------------------------------------------------------------ */

/* Weights, configuration and processor. Immutable; tuwen_model_free(). */
typedef struct tuwen_model tuwen_model;

typedef int32_t tuwen_precision;
enum { TUWEN_F32 = 0 };

typedef struct tuwen_load_options {
  uint32_t struct_size;
  tuwen_precision precision; /* of the matrix products */
  const char* isa;           /* "reference", "avx2", "avx512"; NULL: $TUWEN_ISA if set, else the best this CPU runs */
  int64_t memory_budget;     /* bytes; a model whose packed weights need more is refused before any is read. 0: none */
} tuwen_load_options;

/* Loads a model directory: config.json, model.safetensors or pytorch_model.bin (single or sharded), the tokenizer's and
 * the image processor's files. Peak memory is that of the packed weights and less than 200 MB. Every missing, extra or
 * misshapen tensor is listed in one error. Nothing in the files is executed. */
TUWEN_API tuwen_status tuwen_model_load(const char* directory, const tuwen_load_options* options, tuwen_model** model);
TUWEN_API void tuwen_model_free(tuwen_model* model);

/* The processor of a loaded model; lives as long as the model, not to be freed. */
TUWEN_API const tuwen_processor* tuwen_model_processor(const tuwen_model* model);

typedef struct tuwen_model_info {
  uint32_t struct_size;
  tuwen_precision precision;
  char isa[24];           /* the kernels in use; of tuwen_model_inspect(): those that would be */
  char weights_file[256]; /* the file or index that holds the weights */
  char weights_type[16];  /* as stored: "f32", "f16", "bf16" */
  int64_t parameters;     /* both towers, projections and logit_scale */
  int64_t weight_bytes;   /* packed, in memory */
  int64_t embedding_size; /* J: length of every embedding */
  float logit_scale;      /* as stored: the factor of logits is exp(logit_scale). NaN from tuwen_model_inspect() */
  int32_t reserved;

  int64_t vision_width, vision_layers, vision_heads, vision_mlp;
  int64_t image_size, patch_size; /* pixels */
  int64_t image_tokens;           /* patches and the class token */
  char vision_activation[24];

  int64_t text_width, text_layers, text_heads, text_mlp;
  int64_t vocabulary_size;
  int64_t max_text_tokens; /* rows of the position table, special tokens included */
  char text_activation[24];
} tuwen_model_info;

/* `info` has its struct_size set; the fields that this library knows are filled. */
TUWEN_API tuwen_status tuwen_model_get_info(const tuwen_model* model, tuwen_model_info* info);

/* The same of a directory, from its configuration and the headers of its weights alone: milliseconds. */
TUWEN_API tuwen_status tuwen_model_inspect(const char* directory, const tuwen_load_options* options,
                                           tuwen_model_info* info);

/* ---- Sessions ---------------------------------------------------------------------------------------------------- */

/* Scratch memory and threads for one caller at a time; keeps its model alive. tuwen_session_free(). */
typedef struct tuwen_session tuwen_session;

/* The caller's own threads. run() calls task(argument) up to `wanted` times, at the same time on as many threads as it
 * can, at least once on the calling one, and returns when all those calls have returned. */
typedef struct tuwen_executor {
  void (*run)(void* self, int32_t wanted, void (*task)(void* argument), void* argument);
  void* self;
} tuwen_executor;

typedef int32_t tuwen_thread_source;
enum {
  TUWEN_THREADS_OWN = 0,    /* a pool made with the session and parked between calls */
  TUWEN_THREADS_OPENMP = 1, /* OpenMP's; TUWEN_UNSUPPORTED in a build without */
  TUWEN_THREADS_CALLER = 2, /* the calling thread alone */
  TUWEN_THREADS_CUSTOM = 3  /* `executor` */
};

typedef struct tuwen_session_options {
  uint32_t struct_size;
  int32_t threads; /* the caller's included; 0: all CPUs this process may use */
  tuwen_thread_source thread_source;
  int32_t reserved;
  tuwen_executor executor;
  int64_t max_rows;      /* tokens worked on at once; sets the scratch size, never a result. 0: about 2,000 */
  int64_t memory_budget; /* bytes; a session that needs more is refused. 0: none */
} tuwen_session_options;

TUWEN_API tuwen_status tuwen_session_create(const tuwen_model* model, const tuwen_session_options* options,
                                            tuwen_session** session);
/* TUWEN_BUSY, and nothing freed, while a call is running on it. */
TUWEN_API tuwen_status tuwen_session_free(tuwen_session* session);

typedef struct tuwen_session_info {
  uint32_t struct_size;
  int32_t threads;       /* had, perhaps fewer than asked for */
  int64_t scratch_bytes; /* fixed from creation on */
} tuwen_session_info;

TUWEN_API tuwen_status tuwen_session_get_info(const tuwen_session* session, tuwen_session_info* info);

/* What tuwen_session_create() would need, in bytes. */
TUWEN_API tuwen_status tuwen_session_estimate(const tuwen_model* model, const tuwen_session_options* options,
                                              int64_t* bytes);

/* ---- Encoding ---------------------------------------------------------------------------------------------------- */

typedef struct tuwen_capture tuwen_capture;

typedef struct tuwen_encode_options {
  uint32_t struct_size;
  int32_t raw;            /* 1: get_image_features / get_text_features; 0: divided by their L2 norm */
  tuwen_capture* capture; /* intermediates wanted, or NULL */
  int32_t truncate;       /* texts only. 1: cut what the position table does not hold; 0: an error naming the text */
  int32_t reserved;
} tuwen_encode_options;

/* Embeddings of `count` pictures, [count, J], J = tuwen_model_info.embedding_size. Preprocesses as the model directory
 * says, 8-bit pixels straight to patches, the same values to the last bit. Scratch of resizing is allocated. */
TUWEN_API tuwen_status tuwen_encode_images(tuwen_session* session, const tuwen_image* const* images, size_t count,
                                           const tuwen_encode_options* options, float* embeddings);

/* Embeddings of pixel_values [count, 3, image_size, image_size]; `size` is the number of floats there. Allocates
 * nothing unless it captures. */
TUWEN_API tuwen_status tuwen_encode_pixels(tuwen_session* session, const float* pixel_values, size_t size, size_t count,
                                           const tuwen_encode_options* options, float* embeddings);

/* Embeddings of `count` texts, [count, J]. Tokenizes (which allocates), packs the texts without padding. */
TUWEN_API tuwen_status tuwen_encode_texts(tuwen_session* session, const tuwen_text* texts, size_t count,
                                          const tuwen_encode_options* options, float* embeddings);

/* Embeddings of `count` token rows: row r is at [row_begin[r], row_begin[r + 1]) of ids, without padding. type_ids
 * NULL: all 0. Allocates nothing. */
TUWEN_API tuwen_status tuwen_encode_tokens(tuwen_session* session, const int32_t* ids, const int32_t* type_ids,
                                           const int64_t* row_begin, size_t count, const tuwen_encode_options* options,
                                           float* embeddings);

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

/* exp(logit_scale) times the dot products of normalised embeddings [images, J] and [texts, J]. logits_per_image
 * [images, texts] and logits_per_text [texts, images] are each other's transpose; either may be NULL. */
TUWEN_API tuwen_status tuwen_logits(const tuwen_model* model, const float* image_embeddings, size_t images,
                                    const float* text_embeddings, size_t texts, float* logits_per_image,
                                    float* logits_per_text);

/* Softmax of each row of [rows, columns]: of logits_per_image, the probability of each text for a picture.
 * `probabilities` may be `logits`. */
TUWEN_API tuwen_status tuwen_softmax(const float* logits, size_t rows, size_t columns, float* probabilities);

/* The training loss of a batch whose i-th picture belongs to the i-th text: the mean of the cross-entropies of the rows
 * and of the columns of logits_per_text [count, count]. */
TUWEN_API tuwen_status tuwen_contrastive_loss(const float* logits_per_text, size_t count, float* loss);

/* ---- Intermediates ----------------------------------------------------------------------------------------------- */

/* A list of intermediates by name, filled by an encode call that is given it; tuwen_capture_free(). For one call at a
 * time. Capturing computes every row of every layer, which the plain call does not.
 *   text.hidden_states.N    [tokens, width]  N = 0: after the embeddings' LayerNorm; N = i: output of layer i
 *   text.attentions.N       [heads, tokens, tokens] of each text, after softmax
 *   vision.hidden_states.N  [count, image_tokens, width]  N = 0: after pre_layrnorm; N = i: output of layer i
 *   vision.attentions.N     [count, heads, image_tokens, image_tokens]
 *   text.last_hidden_state, vision.last_hidden_state   the last layer's
 *   vision.pooler_output    [count, width]   post_layernorm of the class token */
TUWEN_API tuwen_status tuwen_capture_create(const char* const* names, size_t count, tuwen_capture** capture);
TUWEN_API void tuwen_capture_free(tuwen_capture* capture);

typedef struct tuwen_tensor {
  const float* data; /* valid until the next call that fills the capture */
  int32_t rank;
  int32_t reserved;
  int64_t shape[4];
} tuwen_tensor;

TUWEN_API tuwen_status tuwen_capture_get(const tuwen_capture* capture, const char* name, tuwen_tensor* tensor);

/* ---- This machine ------------------------------------------------------------------------------------------------ */

typedef struct tuwen_system_info {
  uint32_t struct_size;
  int32_t cpus;      /* that this process may use */
  char cpu[96];      /* "AMD EPYC 9B45" */
  char features[96]; /* of those that kernels are chosen by, space-separated */
  char isa[24];      /* the kernels a model would get */
  char compiler[64]; /* of the library */
  char decoders[64]; /* of pictures: "libjpeg-turbo libpng libwebp" or "stb_image" */
} tuwen_system_info;

TUWEN_API tuwen_status tuwen_get_system_info(tuwen_system_info* info);

#ifdef __cplusplus
}
#endif

#endif
