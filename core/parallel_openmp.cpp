#include "core/parallel.h"

namespace tw {

#ifdef TUWEN_HAVE_OPENMP

Executor openmp() {
  return {[](void*, int wanted, void (*task)(void*), void* argument) {
#pragma omp parallel num_threads(wanted)
            task(argument);
          },
          nullptr};
}
bool openmp_available() { return true; }

#else

Executor openmp() { return calling_thread(); }
bool openmp_available() { return false; }

#endif

}  // namespace tw
