// A part of a list, for several processes or machines.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace tuwen_cli {

struct Shard {
  size_t index;  // from 0
  size_t count;
};

// "2/4" is {1, 4}. Throws UsageError for anything else.
Shard parse_shard(const std::string& text);
// [begin, end) of `total`: parts follow one another and their sizes differ by at most one.
std::pair<size_t, size_t> part_of(Shard shard, size_t total);

}  // namespace tuwen_cli
