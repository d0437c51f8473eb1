// Counts calls of operator new, in programs that are linked with allocation_counter.cpp.
#pragma once

#include <cstdint>

namespace tw::test {

int64_t allocation_count();

}  // namespace tw::test
