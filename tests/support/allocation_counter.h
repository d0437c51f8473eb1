// Counts calls of operator new, and makes them fail, in programs that are linked with allocation_counter.cpp.
#pragma once

#include <cstdint>

namespace tw::test {

int64_t allocation_count();
// Every call after the next `count` ones throws std::bad_alloc. INT64_MAX: none, as at first.
void fail_allocations_after(int64_t count);

}  // namespace tw::test
