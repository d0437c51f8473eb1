#include "core/blaslt.h"

#include <dlfcn.h>

namespace tw {
namespace {

// Sets `function` to what the library calls `name`; false if there is none.
template <class Function>
bool find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

bool find_all(void* library, BlasLtApi& api) {
  return find(library, "cublasLtGetVersion", api.version) && find(library, "cublasLtGetStatusString", api.describe) &&
         find(library, "cublasLtCreate", api.create) && find(library, "cublasLtDestroy", api.destroy) &&
         find(library, "cublasLtMatmulDescCreate", api.create_product) &&
         find(library, "cublasLtMatmulDescDestroy", api.destroy_product) &&
         find(library, "cublasLtMatmulDescSetAttribute", api.set_product) &&
         find(library, "cublasLtMatrixLayoutCreate", api.create_matrix) &&
         find(library, "cublasLtMatrixLayoutDestroy", api.destroy_matrix) &&
         find(library, "cublasLtMatmulPreferenceCreate", api.create_preference) &&
         find(library, "cublasLtMatmulPreferenceDestroy", api.destroy_preference) &&
         find(library, "cublasLtMatmulPreferenceSetAttribute", api.set_preference) &&
         find(library, "cublasLtMatmulAlgoGetHeuristic", api.candidates) &&
         find(library, "cublasLtMatmulAlgoCheck", api.check) && find(library, "cublasLtMatmul", api.multiply);
}

}  // namespace

std::string blaslt_text(size_t version) {
  return "cuBLASLt " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

BlasLtLibrary open_blaslt(std::span<const char* const> names, int major) {
  std::string missing;
  for (const char* name : names) {
    void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      if (missing.empty()) missing = std::string("no ") + name;
      continue;
    }
    BlasLtApi api = {};
    if (!find_all(library, api)) {
      missing = std::string(name) + " lacks functions";
    } else if (const size_t version = api.version(); version / 10000 != static_cast<size_t>(major)) {
      missing = blaslt_text(version) + ", not " + std::to_string(major);
    } else {
      return {api, blaslt_text(version)};
    }
    dlclose(library);
  }
  return {{}, missing};
}

}  // namespace tw
