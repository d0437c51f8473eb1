// cuBLASLt, as far as this library asks it: its functions behind a plain struct, as a device's are (core/device.h), so
// that tests can fill it in. Types and numbers are those of its ABI, which core/device_blaslt.cu compares with its
// header. It is looked for when it is first wanted, for a machine may have none.
//
// Matrices are column-major. D [m, n] = alpha A^T B + beta C, and a bias for each row of D: read by rows, that is
// y [n, m] = x W^T with x [n, k] as B and W [m, k] as A.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace tw {

namespace blaslt {

constexpr int kF32 = 0, kF16 = 2, kBf16 = 14;  // types of matrices (cudaDataType_t)
constexpr int kComputeF32 = 68;                // of sums (cublasComputeType_t)
constexpr int kTransposed = 1;                 // cublasOperation_t
constexpr int kNoEpilogue = 1, kBias = 4;      // cublasLtEpilogue_t
// Attributes of a product: int32_t, but for the bias, an address of the device.
constexpr int kTransposeA = 3, kEpilogue = 7, kBiasPointer = 8, kBiasType = 26;
// Of a preference: uint64_t bytes of workspace; uint32_t ways to add up parts of sums, and bytes that the beginnings of
// the matrices are multiples of.
constexpr int kMostWorkspace = 1, kReductions = 3, kAlignmentA = 5, kAlignmentB = 6, kAlignmentC = 7, kAlignmentD = 8;
constexpr uint32_t kInComputeType = 2;  // cublasLtReductionScheme_t

struct Algorithm {
  uint64_t data[8];
};
struct Candidate {
  Algorithm algorithm;
  size_t workspace;  // bytes
  int status;        // 0, or the rest means nothing
  float waves;
  int reserved[4];
};

}  // namespace blaslt

// Every function returns 0 or the library's status. What is created is destroyed by the function below it; products,
// matrices and preferences are descriptions in the host's memory.
struct BlasLtApi {
  size_t (*version)();  // 10000 major + 100 minor + patch
  const char* (*describe)(int status);
  int (*create)(void** library);  // for the calling thread's device; any thread may use it
  int (*destroy)(void* library);
  int (*create_product)(void** product, int compute_type, int scale_type);
  int (*destroy_product)(void* product);
  int (*set_product)(void* product, int attribute, const void* value, size_t bytes);
  int (*create_matrix)(void** matrix, int type, uint64_t rows, uint64_t columns, int64_t stride);
  int (*destroy_matrix)(void* matrix);
  int (*create_preference)(void** preference);
  int (*destroy_preference)(void* preference);
  int (*set_preference)(void* preference, int attribute, const void* value, size_t bytes);
  // Ways to compute a product, the one that should be fastest first.
  int (*candidates)(void* library, void* product, void* a, void* b, void* c, void* d, void* preference, int most,
                    blaslt::Candidate* found, int* count);
  // Whether a product can be computed so, and in how much workspace.
  int (*check)(void* library, void* product, void* a, void* b, void* c, void* d, const blaslt::Algorithm* algorithm,
               blaslt::Candidate* result);
  // On a stream. alpha and beta are the host's, and read at once.
  int (*multiply)(void* library, void* product, const void* alpha, const void* a, void* a_matrix, const void* b,
                  void* b_matrix, const void* beta, const void* c, void* c_matrix, void* d, void* d_matrix,
                  const blaslt::Algorithm* algorithm, void* workspace, size_t workspace_bytes, void* stream);
};

// The library, or what is missing.
struct BlasLtLibrary {
  std::optional<BlasLtApi> api;
  std::string text;  // "cuBLASLt 13.1.0", or "no libcublasLt.so.13"
};

// The first of these names that the dynamic linker finds, if it has everything above in this major version. It stays
// loaded.
BlasLtLibrary open_blaslt(std::span<const char* const> names, int major);
// What the version that a library says is called; `text` of one that is there.
std::string blaslt_text(size_t version);

}  // namespace tw
