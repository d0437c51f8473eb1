/* Part of tuwen.h, which is the file to include: whether kernels and models compute what they should on this machine.
 */
#ifndef TUWEN_CHECKS_H
#define TUWEN_CHECKS_H

#include "tuwen/tuwen.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */

/* Whether the kernels of this library compute on this CPU what they are meant to. tuwen_selftest_free(). */
typedef struct tuwen_selftest tuwen_selftest;

/* Checks every operation of every set of kernels that this CPU runs (isa NULL), or of one, such as "avx2", against
 * plain loops in double: exactly on whole numbers, within the proven bound on random ones drawn from `seed`, with NaN
 * around every array. A few seconds on one thread. That checks fail is no error of the call. */
TUWEN_API tuwen_status tuwen_selftest_run(const char* isa, uint64_t seed, tuwen_selftest** selftest);
TUWEN_API void tuwen_selftest_free(tuwen_selftest* selftest);

typedef struct tuwen_selftest_result {
  uint32_t struct_size;
  int32_t passed;
  const char* isa;       /* the kernels: "avx512" */
  const char* operation; /* "layer_norm" */
  double worst;          /* the largest error over what is permitted; infinite where a result has to be exact */
  const char* detail;    /* the first thing that was wrong; "" */
} tuwen_selftest_result;

/* Strings live as long as the tuwen_selftest. */
TUWEN_API size_t tuwen_selftest_count(const tuwen_selftest* selftest);
TUWEN_API tuwen_status tuwen_selftest_at(const tuwen_selftest* selftest, size_t index, tuwen_selftest_result* result);

/* ---- Models ------------------------------------------------------------------------------------------------------ */

/* How close a model on this machine comes to the reference, stage by stage. tuwen_verification_free(). */
typedef struct tuwen_verification tuwen_verification;

/* Compares with goldens that `scripts/make_goldens.py --model DIR --out FILE` wrote for the checkpoint: token ids and
 * pixels from the same texts and picture files, every intermediate and the embeddings from the same ids and pixels,
 * probabilities. That a stage is outside its limit is no error of the call. */
TUWEN_API tuwen_status tuwen_verify(tuwen_session* session, const char* goldens, tuwen_verification** verification);
TUWEN_API void tuwen_verification_free(tuwen_verification* verification);

typedef struct tuwen_verified {
  uint32_t struct_size;
  int32_t passed;
  const char* stage; /* "token ids", "pixels", the names of a capture, "probabilities"; in the order of computing */
  int64_t values;    /* compared */
  int64_t different; /* of them, not equal to the last bit */
  /* The largest |tuwen - reference|; of other stages than embeddings and probabilities over 1 + the row's largest. */
  double error;
  double limit;        /* of the error; 0: none, as in bf16 and int8. Token ids and pixels have to be equal */
  double cosine;       /* smallest of a row */
  double cosine_limit; /* 0: none */
  double to_exact;     /* |tuwen - exact| / |exact|, exact being the reference in double; -1: not in the goldens */
  double reference_to_exact; /* the same of the reference in f32 */
} tuwen_verified;

/* Strings live as long as the tuwen_verification. */
TUWEN_API size_t tuwen_verification_count(const tuwen_verification* verification);
TUWEN_API tuwen_status tuwen_verification_at(const tuwen_verification* verification, size_t index,
                                             tuwen_verified* verified);

#ifdef __cplusplus
}
#endif

#endif
