// The floating-point control word: ours inside a region, the caller's again outside.
#pragma once

#include <immintrin.h>

namespace tw {

// Round to nearest, no flush-to-zero, exceptions masked. A host library built with -ffast-math may have set other modes
// on some of its threads; without this an embedding could depend on which thread computed it.
class DefaultFpEnvironment {
 public:
  DefaultFpEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(kDefault); }
  ~DefaultFpEnvironment() { _mm_setcsr(saved_); }
  DefaultFpEnvironment(const DefaultFpEnvironment&) = delete;
  DefaultFpEnvironment& operator=(const DefaultFpEnvironment&) = delete;

 private:
  static constexpr unsigned kDefault = 0x1F80;
  unsigned saved_;
};

}  // namespace tw
