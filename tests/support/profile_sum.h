// What the parts of a profile add up to.
#pragma once

#include "core/profile.h"

namespace tw::test {

// In milliseconds: start and finish of the region and every operation.
inline double sum(const Profile& profile) {
  const Profile::Whole whole = profile.whole();
  double total = whole.start + whole.finish;
  for (int64_t i = 0; i < profile.count(); ++i) total += profile.at(i).total();
  return total;
}

}  // namespace tw::test
