// core/blaslt.h against cuBLASLt's own header, and which library that is.
#include "core/device_blaslt.h"

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

#include <cstddef>
#include <type_traits>

namespace tw {
namespace {

static_assert(blaslt::kF32 == CUDA_R_32F && blaslt::kF16 == CUDA_R_16F && blaslt::kBf16 == CUDA_R_16BF);
static_assert(blaslt::kComputeF32 == CUBLAS_COMPUTE_32F && blaslt::kTransposed == CUBLAS_OP_T);
static_assert(blaslt::kNoEpilogue == CUBLASLT_EPILOGUE_DEFAULT && blaslt::kBias == CUBLASLT_EPILOGUE_BIAS);
static_assert(blaslt::kTransposeA == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(blaslt::kEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE);
static_assert(blaslt::kBiasPointer == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(blaslt::kBiasType == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE);
static_assert(blaslt::kMostWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(blaslt::kReductions == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(blaslt::kInComputeType == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
static_assert(blaslt::kAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(blaslt::kAlignmentB == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(blaslt::kAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(blaslt::kAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(CUBLAS_STATUS_SUCCESS == 0);

using Result = cublasLtMatmulHeuristicResult_t;
static_assert(sizeof(blaslt::Algorithm) == sizeof(cublasLtMatmulAlgo_t) && sizeof(blaslt::Candidate) == sizeof(Result));
static_assert(offsetof(blaslt::Candidate, workspace) == offsetof(Result, workspaceSize));
static_assert(offsetof(blaslt::Candidate, status) == offsetof(Result, state));
static_assert(offsetof(blaslt::Candidate, waves) == offsetof(Result, wavesCount));

// Functions that differ in nothing but what enumerations and addresses are called.
template <class Ours, class Theirs>
constexpr bool kPassedAlike = std::is_same_v<Ours, Theirs> || (std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>) ||
                              (std::is_enum_v<Theirs> && sizeof(Ours) == sizeof(Theirs) && std::is_integral_v<Ours>);
template <class Ours, class Theirs>
struct Alike : std::false_type {};
template <class R, class... P, class S, class... Q>
requires(sizeof...(P) == sizeof...(Q)) struct Alike<R (*)(P...), S (*)(Q...)>
    : std::bool_constant<kPassedAlike<R, S> && (kPassedAlike<P, Q> && ...)> {
};
static_assert(Alike<decltype(BlasLtApi::version), decltype(&cublasLtGetVersion)>::value);
static_assert(Alike<decltype(BlasLtApi::describe), decltype(&cublasLtGetStatusString)>::value);
static_assert(Alike<decltype(BlasLtApi::create), decltype(&cublasLtCreate)>::value);
static_assert(Alike<decltype(BlasLtApi::destroy), decltype(&cublasLtDestroy)>::value);
static_assert(Alike<decltype(BlasLtApi::create_product), decltype(&cublasLtMatmulDescCreate)>::value);
static_assert(Alike<decltype(BlasLtApi::destroy_product), decltype(&cublasLtMatmulDescDestroy)>::value);
static_assert(Alike<decltype(BlasLtApi::set_product), decltype(&cublasLtMatmulDescSetAttribute)>::value);
static_assert(Alike<decltype(BlasLtApi::create_matrix), decltype(&cublasLtMatrixLayoutCreate)>::value);
static_assert(Alike<decltype(BlasLtApi::destroy_matrix), decltype(&cublasLtMatrixLayoutDestroy)>::value);
static_assert(Alike<decltype(BlasLtApi::create_preference), decltype(&cublasLtMatmulPreferenceCreate)>::value);
static_assert(Alike<decltype(BlasLtApi::destroy_preference), decltype(&cublasLtMatmulPreferenceDestroy)>::value);
static_assert(Alike<decltype(BlasLtApi::set_preference), decltype(&cublasLtMatmulPreferenceSetAttribute)>::value);
static_assert(Alike<decltype(BlasLtApi::candidates), decltype(&cublasLtMatmulAlgoGetHeuristic)>::value);
static_assert(Alike<decltype(BlasLtApi::check), decltype(&cublasLtMatmulAlgoCheck)>::value);
static_assert(Alike<decltype(BlasLtApi::multiply), decltype(&cublasLtMatmul)>::value);

#define TUWEN_TEXT_OF(x) #x
#define TUWEN_TEXT(x) TUWEN_TEXT_OF(x)
constexpr const char* kNames[] = {"libcublasLt.so." TUWEN_TEXT(CUBLAS_VER_MAJOR), "libcublasLt.so"};

}  // namespace

const BlasLtLibrary& cublaslt() {
  static const BlasLtLibrary library = open_blaslt(kNames, CUBLAS_VER_MAJOR);
  return library;
}

}  // namespace tw

#else

namespace tw {

const BlasLtLibrary& cublaslt() {
  static const BlasLtLibrary library = {{}, "a build without cublasLt.h"};
  return library;
}

}  // namespace tw

#endif
