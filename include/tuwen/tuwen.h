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
 *   tuwen_logits(session, image_embedding, 1, text_embeddings, 4, logits, NULL);
 *   tuwen_softmax(logits, 1, 4, probabilities);
 *
 * Conventions
 *
 * - Status: every function that can fail returns TUWEN_OK or the reason; tuwen_last_error() says the rest. A failed
 *   call leaves every object as usable as before and sets no handle; what it has written to an output array is
 *   unspecified. The library never prints, never ends the process and lets no C++ exception out.
 * - Options: an option struct begins with its size: `tuwen_load_options o = {sizeof o};`. Zero is the default of
 *   every other field, and a null pointer stands for all defaults. An older program runs on a newer library as is.
 * - Matrices: float32, row-major, without gaps; shapes are written [rows, columns]. Output arrays are the caller's.
 * - Text: UTF-8 with a length, zero bytes allowed. Invalid UTF-8 is read as U+FFFD, which the tokenizer drops. Paths
 *   are zero-terminated.
 * - Handles: made by ..._load, ..._create, ..._read; given back once to the function named at the type. Giving back
 *   NULL does nothing. A handle that something else still needs (a session's model) lives until that is gone.
 * - Threads: functions on const handles may run at the same time. A session is for one call at a time: a second one
 *   gets TUWEN_BUSY. Different sessions are independent.
 * - Numbers: an embedding has the same bits alone or in any batch, with any number of threads, for a given model,
 *   precision and instruction set (but TUWEN_FAST). Embeddings agree with transformers 4.37.2 to 1e-5 in f32.
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
  const char* file;     /* path, or what stands for it: "text[3]", or "image[0]" for a picture from memory */
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

/* Reads vocab.txt or tokenizer.json (with tokenizer_config.json and its companions) and preprocessor_config.json. */
TUWEN_API tuwen_status tuwen_processor_load(const char* directory, tuwen_processor** processor);
TUWEN_API void tuwen_processor_free(tuwen_processor* processor);

typedef struct tuwen_processor_info {
  uint32_t struct_size;
  int32_t vocabulary_size; /* one more than the largest token id */
  int32_t unk_id, sep_id, pad_id, cls_id;
  int32_t mask_id; /* -1: none */
  int32_t reserved;
  int64_t model_max_length; /* tokens, as tokenizer_config.json states it; 0: unlimited */
} tuwen_processor_info;

TUWEN_API tuwen_status tuwen_processor_get_info(const tuwen_processor* processor, tuwen_processor_info* info);

typedef int32_t tuwen_padding;
enum { TUWEN_PADDING_NONE = 0, TUWEN_PADDING_LONGEST = 1, TUWEN_PADDING_MAX_LENGTH = 2 };

typedef int32_t tuwen_truncation;
enum {
  TUWEN_TRUNCATION_DEFAULT = 0, /* longest_first if max_length is given and nothing is padded, else none */
  TUWEN_TRUNCATION_NONE = 1,
  TUWEN_TRUNCATION_LONGEST_FIRST = 2,
  TUWEN_TRUNCATION_ONLY_FIRST = 3,
  TUWEN_TRUNCATION_ONLY_SECOND = 4
};

typedef int32_t tuwen_side;
enum { TUWEN_SIDE_DEFAULT = 0, TUWEN_SIDE_RIGHT = 1, TUWEN_SIDE_LEFT = 2 };

typedef struct tuwen_tokenize_options {
  uint32_t struct_size;
  tuwen_padding padding;
  tuwen_truncation truncation;
  tuwen_side padding_side, truncation_side; /* default: the tokenizer's */
  int32_t threads;                          /* of a large batch; 0: all CPUs this process may use */
  int64_t max_length;               /* tokens, special ones included; 0: the tokenizer's model_max_length, if limited */
  int64_t stride;                   /* tokens that neighbouring windows of one text share */
  int64_t pad_to_multiple_of;       /* 0: off */
  int32_t return_overflow;          /* 1: what truncation cuts off comes back as further rows */
  int32_t no_special_tokens;        /* 1: no [CLS] and [SEP] around the text */
  int32_t split_special_tokens;     /* 1: "[SEP]" in a text is ordinary characters, so that a text cannot end itself */
  int32_t byte_offsets;             /* 1: offsets count bytes instead of characters */
  int32_t reject_invalid_utf8;      /* 1: an error naming text and byte, instead of reading U+FFFD */
  int32_t evaluation_preprocessing; /* 1: first lower(), and curly quotes to straight, as Chinese-CLIP's own tools do */
} tuwen_tokenize_options;

/* Token ids of a batch of texts. Immutable; tuwen_tokens_free(). */
typedef struct tuwen_tokens tuwen_tokens;

/* Row r is at [row_begin[r], row_begin[r + 1]) of each array; with padding all rows are equally long. The arrays belong
 * to the tuwen_tokens. */
typedef struct tuwen_tokens_view {
  size_t rows;
  const int64_t* row_begin;           /* [rows + 1] */
  const int32_t* row_text;            /* [rows] which text a row came from; a text has several rows with overflow */
  const int32_t* ids;                 /* vocabulary entries */
  const int32_t* type_ids;            /* 1 for a pair and the [SEP] behind it, else 0 */
  const int32_t* attention_mask;      /* 1 for a token, 0 for padding */
  const int32_t* special_tokens_mask; /* 1 for tokens that were added: [CLS], [SEP], padding */
  const uint32_t* offsets;            /* begin and end of each token in its text, in characters; 0, 0 for added ones */
} tuwen_tokens_view;

/* Tokenizes `count` texts, each with its pair where `pairs` is not NULL ([CLS] text [SEP] pair [SEP]). The ids are
 * those of BertTokenizerFast (transformers 4.37.2, tokenizers 0.15.2) on any input. Time is linear in the text. */
TUWEN_API tuwen_status tuwen_tokenize(const tuwen_processor* processor, const tuwen_text* texts,
                                      const tuwen_text* pairs, size_t count, const tuwen_tokenize_options* options,
                                      tuwen_tokens** tokens);
TUWEN_API tuwen_status tuwen_tokens_get(const tuwen_tokens* tokens, tuwen_tokens_view* view);

/* The same of texts that were split into words before: text t is words[word_begin[t]] to words[word_begin[t + 1] - 1],
 * each word is tokenized apart, and offsets count from the start of the word. pair_words and pair_begin likewise; both
 * NULL: no pairs. The begins have count + 1 entries. */
TUWEN_API tuwen_status tuwen_tokenize_words(const tuwen_processor* processor, const tuwen_text* words,
                                            const size_t* word_begin, const tuwen_text* pair_words,
                                            const size_t* pair_begin, size_t count,
                                            const tuwen_tokenize_options* options, tuwen_tokens** tokens);

/* Of the same rows and with their row_begin: where each token came from. -1 for tokens that were added. */
typedef struct tuwen_token_sources {
  const int32_t* word_ids;     /* the word of its text, counted from 0: between spaces and punctuation, or as given */
  const int32_t* sequence_ids; /* 0: the text, 1: its pair */
} tuwen_token_sources;

TUWEN_API tuwen_status tuwen_tokens_get_sources(const tuwen_tokens* tokens, tuwen_token_sources* sources);
TUWEN_API void tuwen_tokens_free(tuwen_tokens* tokens);

/* The vocabulary's spelling of `id`, such as "##ing"; lives as long as the processor. */
TUWEN_API tuwen_status tuwen_token_text(const tuwen_processor* processor, int32_t id, tuwen_text* token);
/* The id of a spelling; -1 if the vocabulary has no such token. */
TUWEN_API tuwen_status tuwen_token_id(const tuwen_processor* processor, tuwen_text token, int32_t* id);

enum {
  TUWEN_DECODE_SKIP_SPECIAL = 1, /* leave special tokens out */
  TUWEN_DECODE_CLEANUP = 2,      /* no space before punctuation, whatever tokenizer_config.json says */
  TUWEN_DECODE_NO_CLEANUP = 4
};

/* Joins ids to text as BertTokenizerFast.decode does (flags: TUWEN_DECODE_..., or 0). Writes at most `capacity` bytes,
 * nothing if they are too few, and sets *size to the bytes needed either way; `out` may be NULL when capacity is 0. */
TUWEN_API tuwen_status tuwen_decode(const tuwen_processor* processor, const int32_t* ids, size_t count, uint32_t flags,
                                    char* out, size_t capacity, size_t* size);

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

/* A decoded picture, 8 bits a channel, RGB. Immutable; tuwen_image_free(). */
typedef struct tuwen_image tuwen_image;

/* What a file may ask for; checked against its own header before anything is decoded. */
typedef struct tuwen_image_options {
  uint32_t struct_size;
  uint32_t reserved;  /* 0 */
  int64_t max_bytes;  /* of the file; 0: 33,554,432 */
  int64_t max_pixels; /* width times height; 0: 67,108,864 */
  int64_t max_side;   /* pixels; 0: 16,384 */
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
  double mean[3], std[3];
  int32_t channels_last; /* 0: [3, height, width]; 1: [height, width, 3] */
  int32_t threads;       /* that several pictures are shared among; 0: all CPUs this process may use */
} tuwen_preprocess_options;

TUWEN_API tuwen_status tuwen_processor_get_preprocess(const tuwen_processor* processor,
                                                      tuwen_preprocess_options* options);

/* Height and width that tuwen_preprocess() gives for this picture. `options` NULL: the model directory's. The processor
 * of both calls may be NULL where options are given: they say it all. */
TUWEN_API tuwen_status tuwen_preprocess_size(const tuwen_processor* processor, const tuwen_image* image,
                                             const tuwen_preprocess_options* options, int64_t* height, int64_t* width);

/* pixel_values of `count` pictures, [count, 3, height, width] or channels last, the reference's to the last bit. All
 * have to come out at one size. `size` is the number of floats behind pixel_values. Of several pictures that are
 * refused the first one is reported. */
TUWEN_API tuwen_status tuwen_preprocess(const tuwen_processor* processor, const tuwen_image* const* images,
                                        size_t count, const tuwen_preprocess_options* options, float* pixel_values,
                                        size_t size);

/* ---- Models ------------------------------------------------------------------------------------------------------ */

/* Weights, configuration and processor. Immutable; tuwen_model_free(). */
typedef struct tuwen_model tuwen_model;

typedef int32_t tuwen_precision;
enum {
  TUWEN_F32 = 0,
  TUWEN_INT8 = 1, /* products of the towers' layers in eight bits, scaled by a calibration run while loading; attention
                     in bf16 */
  TUWEN_BF16 = 2, /* products of the towers' layers and attention in bf16, sums in f32 */
  TUWEN_F16 = 3,  /* the same in IEEE half precision, for sessions on a device: one on the CPU is TUWEN_UNSUPPORTED.
                     Weights beyond 65504 are TUWEN_NON_FINITE */
  TUWEN_FP8 = 4 /* products of the towers' layers in FP8 (E4M3), scaled by a calibration run while loading, the rest in
                   bf16: for devices of sm_89 and newer. The CPU computes the same in bf16, no faster */
};

typedef int32_t tuwen_plan;
enum {
  TUWEN_EXACT = 0,
  TUWEN_FAST = 1 /* f32: large products of the image tower by Strassen's algorithm, faster, in up to 7/4 of the memory,
     with rounding errors about twice as large; such a model runs on the CPU alone. Other types, on a device: products
     by cuBLASLt where that measures faster, in twice the memory; a result's bits may then depend on its batch */
};

typedef int32_t tuwen_towers;
enum { TUWEN_BOTH_TOWERS = 0, TUWEN_TEXT_TOWER = 1, TUWEN_IMAGE_TOWER = 2 };

typedef struct tuwen_load_options {
  uint32_t struct_size;
  tuwen_precision precision; /* of the matrix products */
  tuwen_towers towers;       /* the other one's weights are not read, and encoding with it is an error */
  int32_t threads;           /* that read and pack; 0: all CPUs this process may use */
  int32_t allow_unexpected;  /* 1: tensors that the configuration does not ask for are ignored; 0: an error */
  int32_t without_processor; /* 1: the tokenizer's and image processor's files are not read, and texts and pictures not
                                taken; token ids and pixel values are */
  int64_t memory_budget;     /* bytes; a model whose packed weights need more is refused before any is read. 0: none */
  /* What goes through the f32 model while an int8 or FP8 one is made of it, to choose its scales: a few of the pictures
   * and texts that it is meant for. Counts of 0: a built-in set of each. Read by the call alone; texts that are too
   * long are cut. Other precisions need none and look at none. */
  const tuwen_image* const* calibration_images;
  size_t calibration_image_count;
  const tuwen_text* calibration_texts;
  size_t calibration_text_count;
  const char* calibration_file; /* instead: what tuwen_calibrate() has written for this model; null: none */
  tuwen_plan plan;
} tuwen_load_options;

/* Loads a model directory: config.json, model.safetensors or pytorch_model.bin (single or sharded), the tokenizer's and
 * the image processor's files. Peak memory is that of the packed f32 weights and less than 200 MB; an eight-bit model
 * is made from the f32 one, which is then given back. Every missing, extra or misshapen tensor is listed in one error.
 * Nothing in the files is executed. */
TUWEN_API tuwen_status tuwen_model_load(const char* directory, const tuwen_load_options* options, tuwen_model** model);
TUWEN_API void tuwen_model_free(tuwen_model* model);

/* The processor of a loaded model; lives as long as the model, not to be freed. */
TUWEN_API const tuwen_processor* tuwen_model_processor(const tuwen_model* model);

typedef int32_t tuwen_model_kind; /* what config.json's model_type says */
enum { TUWEN_JOINT_MODEL = 0, TUWEN_TEXT_MODEL = 1, TUWEN_VISION_MODEL = 2 };

typedef struct tuwen_model_info {
  uint32_t struct_size;
  tuwen_precision precision;
  char weights_file[256]; /* a file that holds weights; the first one of several */
  char weights_type[16];  /* as stored: "f32", "f16", "bf16", or "mixed" */
  int64_t parameters;     /* both towers, projections and logit_scale */
  int64_t weight_bytes;   /* packed, in memory; from tuwen_model_inspect() what loading takes, in f32 */
  int64_t embedding_size; /* J: length of every embedding */
  float logit_scale;      /* the factor of logits, the stored parameter's exponential; 0 from tuwen_model_inspect() */
  tuwen_towers towers;

  int64_t vision_width, vision_layers, vision_heads, vision_mlp;
  int64_t image_size, patch_size; /* pixels */
  int64_t image_tokens;           /* patches and the class token */
  char vision_activation[24];

  int64_t text_width, text_layers, text_heads, text_mlp;
  int64_t vocabulary_size;
  int64_t max_text_tokens; /* rows of the position table, special tokens included */
  char text_activation[24];

  tuwen_model_kind kind;
  int32_t has_pooler;          /* 1: a text tower that stands alone has its pooler's weights */
  int32_t is_decoder;          /* 1: the text tower's attention is causal */
  int32_t has_cross_attention; /* 1: and it can look at an encoder */
  tuwen_plan plan;
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
  int32_t reserved; /* 0 */
  tuwen_executor executor;
  const char* isa;       /* kernels: "reference", "avx2", "avx512"; NULL: $TUWEN_ISA if set, else this CPU's fastest */
  int64_t max_rows;      /* tokens worked on at once; sets the scratch size, never a result. 0: about 2,000 */
  int64_t memory_budget; /* bytes; a session that needs more is refused. 0: none */
  const char* device;    /* where encoding runs: "cpu", "cuda" or "cuda:N", the N-th from 0; NULL: "cpu" */
} tuwen_session_options;

/* On a device the model's weights are copied there once, for all sessions of that device, and freed with the model.
 * Threads then decode, resize and tokenize, and compute tuwen_logits(). max_rows is 16,384 by default. Captures (so
 * tuwen_verify() too), profiles and eight-bit models are TUWEN_UNSUPPORTED there. A forked child cannot use its
 * parent's sessions on a device. The second encode of a shape (so many images; so many texts and tokens, the longest so
 * long) records the work and allocates for that; later ones are one launch. What a device reports is
 * TUWEN_OUT_OF_MEMORY or TUWEN_INTERNAL with its own words; the model and other sessions live on. */

/* Whether sessions can be made on `device`, "cpu" among them: TUWEN_OK, or TUWEN_UNSUPPORTED and one sentence that says
 * what is missing: a build with CUDA kernels, a driver, a device. */
TUWEN_API tuwen_status tuwen_device_check(const char* device);

TUWEN_API tuwen_status tuwen_session_create(const tuwen_model* model, const tuwen_session_options* options,
                                            tuwen_session** session);
/* TUWEN_BUSY, and nothing freed, while a call is running on it. */
TUWEN_API tuwen_status tuwen_session_free(tuwen_session* session);

typedef struct tuwen_session_info {
  uint32_t struct_size;
  int32_t threads;             /* had, perhaps fewer than asked for */
  int64_t scratch_bytes;       /* fixed from creation on */
  char isa[24];                /* the kernels in use */
  char device[16];             /* "cpu", "cuda:0" */
  char device_name[96];        /* "NVIDIA H200"; empty for the CPU */
  int64_t device_weight_bytes; /* of the model's copy on the device, which its sessions share */
  char products[96];           /* TUWEN_FAST there: "cuBLASLt 13.1.0", or "none: " and why; else empty */
} tuwen_session_info;

TUWEN_API tuwen_status tuwen_session_get_info(const tuwen_session* session, tuwen_session_info* info);

/* What tuwen_session_create() would need, in bytes. */
TUWEN_API tuwen_status tuwen_session_estimate(const tuwen_model* model, const tuwen_session_options* options,
                                              int64_t* bytes);

/* ---- Encoding ---------------------------------------------------------------------------------------------------- */

typedef struct tuwen_capture tuwen_capture;
typedef struct tuwen_profile tuwen_profile;

typedef struct tuwen_encode_options {
  uint32_t struct_size;
  int32_t raw;            /* 1: get_image_features / get_text_features; 0: divided by their L2 norm */
  tuwen_capture* capture; /* intermediates wanted, or NULL */
  double timeout_seconds; /* TUWEN_CANCELLED when it takes longer, looked at between layers; 0: no limit */
  int32_t truncate;       /* texts only. 1: cut what the position table does not hold; 0: an error naming the text */
  int32_t reserved;       /* 0 */
  tuwen_profile* profile; /* where the time of this call goes, or NULL */
} tuwen_encode_options;

/* Encodes `images` black pictures together and then `texts` texts of `tokens` tokens (0: none), twice, and forgets
 * them: what a first encode of that shape costs besides its work (memory touched for the first time, threads that
 * start, on a device the recording of the shape) then does not fall to a request. Allocates what it encodes. */
TUWEN_API tuwen_status tuwen_session_warm_up(tuwen_session* session, size_t images, size_t texts, size_t tokens);

/* Makes the encode call that is running on the session, if any, return TUWEN_CANCELLED before its next layer. For any
 * thread, while the session lives. */
TUWEN_API void tuwen_session_cancel(tuwen_session* session);

/* Embeddings of `count` pictures, [count, J], J = tuwen_model_info.embedding_size. Preprocesses as the model directory
 * says, on the session's threads; 8-bit pixels straight to patches, the same values to the last bit. Scratch of
 * resizing is allocated. Of several pictures that are refused the first one is reported. */
TUWEN_API tuwen_status tuwen_encode_images(tuwen_session* session, const tuwen_image* const* images, size_t count,
                                           const tuwen_encode_options* options, float* embeddings);

/* The same of `count` files, read as tuwen_image_read() does with `limits`. Each thread decodes and resizes one picture
 * after the other, so memory for decoded pictures is one a thread, however many there are. */
TUWEN_API tuwen_status tuwen_encode_image_files(tuwen_session* session, const char* const* paths, size_t count,
                                                const tuwen_image_options* limits, const tuwen_encode_options* options,
                                                float* embeddings);

/* The same of `count` files that lie in memory: the i-th is sizes[i] bytes at files[i], read as tuwen_image_decode()
 * does with `limits`. */
TUWEN_API tuwen_status tuwen_encode_image_buffers(tuwen_session* session, const void* const* files, const size_t* sizes,
                                                  size_t count, const tuwen_image_options* limits,
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

/* logit_scale times the dot products of normalised embeddings [images, J] and [texts, J]. logits_per_image
 * [images, texts] and logits_per_text [texts, images] are each other's transpose; either may be NULL. */
TUWEN_API tuwen_status tuwen_logits(tuwen_session* session, const float* image_embeddings, size_t images,
                                    const float* text_embeddings, size_t texts, float* logits_per_image,
                                    float* logits_per_text);

/* Softmax of each row of [rows, columns]: of logits_per_image, the probability of each text for a picture.
 * `probabilities` may be `logits`. */
TUWEN_API tuwen_status tuwen_softmax(const float* logits, size_t rows, size_t columns, float* probabilities);

/* The training loss of a batch whose i-th picture belongs to the i-th text: the mean of the cross-entropies of the rows
 * and of the columns of logits_per_text [count, count]. */
TUWEN_API tuwen_status tuwen_contrastive_loss(const float* logits_per_text, size_t count, float* loss);

/* ---- Intermediates ----------------------------------------------------------------------------------------------- */

/* Intermediates of the encode call that was given it last; tuwen_capture_free(). For one call at a time. Capturing
 * computes every row of every layer, which the plain call does not, and allocates. Layers count from 0:
 *   {text,vision}.embeddings, vision.patches, vision.pre_layernorm
 *   {text,vision}.layers.N.{queries,keys,values,context,attention,mlp,output}, vision.layers.N.{norm1,norm2}
 *   {text,vision}.pooled, {text,image}.features (raw), {text,image}.embeds (normalised)
 * `context` is the merged heads before the output projection, `attention` and `output` the residual stream after each
 * half of a layer. transformers' hidden_states[0] is text.embeddings or vision.pre_layernorm, hidden_states[N + 1]
 * layers.N.output; the last one's output is last_hidden_state, vision.pooled its pooler_output.
 * Only names that begin with `prefix` are kept; NULL keeps all. There may be several prefixes with spaces between them,
 * and a star stands for any characters: "text.layers.*.output vision.pooled". */
TUWEN_API tuwen_status tuwen_capture_create(const char* prefix, tuwen_capture** capture);
TUWEN_API void tuwen_capture_free(tuwen_capture* capture);

/* A matrix [rows, columns]; rows are the tokens of all texts or pictures of the call, back to back, or the items. Valid
 * until the capture is given to another call. */
typedef struct tuwen_captured {
  const char* name;
  const float* data;
  int64_t rows, columns;
} tuwen_captured;

TUWEN_API size_t tuwen_capture_count(const tuwen_capture* capture);
/* The index-th in alphabetical order. */
TUWEN_API tuwen_status tuwen_capture_at(const tuwen_capture* capture, size_t index, tuwen_captured* captured);
TUWEN_API tuwen_status tuwen_capture_get(const tuwen_capture* capture, const char* name, tuwen_captured* captured);

/* ---- Profiles ---------------------------------------------------------------------------------------------------- */

/* Where the time of the encode call went that was given it last; tuwen_profile_free(). For one call at a time. It
 * covers the encoder, from pixel values or token ids to embeddings: no decoding, resizing or tokenizing. Costs well
 * below a microsecond an operation and changes no result; a call allocates nothing once the profile has had a call as
 * large. */
TUWEN_API tuwen_status tuwen_profile_create(tuwen_profile** profile);
TUWEN_API void tuwen_profile_free(tuwen_profile* profile);

/* wall_ms is start_ms, each operation's between, work, imbalance and barrier, and finish_ms: they add up without a
 * rest.
 */
typedef struct tuwen_profile_info {
  uint32_t struct_size;
  int32_t threads;  /* that came, of those the session has */
  double wall_ms;   /* by the calling thread's clock, threads called and released */
  double start_ms;  /* until the threads run, on the average */
  double finish_ms; /* from a thread's last operation until the call goes on, on the average */
} tuwen_profile_info;

TUWEN_API tuwen_status tuwen_profile_get_info(const tuwen_profile* profile, tuwen_profile_info* info);

/* One operation: every thread does a part of it, then they wait for each other. Times are means over the threads but
 * for longest_ms. */
typedef struct tuwen_profiled {
  uint32_t struct_size;
  int32_t layer;           /* from 0; -1 before, between and after the layers */
  const char* tower;       /* "vision" or "text"; strings live as long as the library */
  const char* operation;   /* "linear", "quantize", "attention", "layer_norm", ... */
  const char* type;        /* of the arithmetic: "f32", "bf16", "int8" */
  int64_t rows, columns;   /* of the result */
  int64_t k;               /* terms of each sum of a product, else 0 */
  double flops;            /* a multiply and an add count as two */
  double weight_bytes;     /* parameters read */
  double activation_bytes; /* read and written, each matrix counted once */
  double between_ms;       /* since the operation before */
  double work_ms;          /* a thread's own parts */
  double imbalance_ms;     /* from the end of these to the end of the last thread's */
  double barrier_ms;       /* from there until the thread goes on */
  double longest_ms;       /* own parts of the thread that had most */
} tuwen_profiled;

/* Operations in the order in which they ran; `operation` has its struct_size set. */
TUWEN_API size_t tuwen_profile_count(const tuwen_profile* profile);
TUWEN_API tuwen_status tuwen_profile_at(const tuwen_profile* profile, size_t index, tuwen_profiled* operation);

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

#include "tuwen/checkpoint.h" /* weights as named tensors: making, changing and saving them */
#include "tuwen/checks.h"     /* kernels and models against what they should compute */
#include "tuwen/forward.h"    /* the towers with masks, caches, hidden states and attentions */

#endif
