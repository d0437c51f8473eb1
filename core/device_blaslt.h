// The cuBLASLt that goes with a build's CUDA.
#pragma once

#include "core/blaslt.h"

namespace tw {

// Looked for by the first call; any thread.
const BlasLtLibrary& cublaslt();

}  // namespace tw
