#include "tokenizer/trie.h"

#include <algorithm>

namespace tw {

Trie::Trie(std::vector<Entry> entries) {
  if (!std::ranges::is_sorted(entries, {}, &Entry::key)) std::ranges::stable_sort(entries, {}, &Entry::key);
  const auto [first_equal, last] = std::ranges::unique(entries, {}, &Entry::key);
  entries.erase(first_equal, last);

  // Breadth first: the node numbered i stands for the entries [begin, end), which share their first `depth` characters.
  struct Group {
    size_t begin, end, depth;
  };
  std::vector<Group> groups{{0, entries.size(), 0}};
  nodes_.push_back({0, kNoValue, 0, 0});
  for (size_t i = 0; i < groups.size(); ++i) {
    auto [begin, end, depth] = groups[i];
    if (begin < end && entries[begin].key.size() == depth) {  // the shortest sorts first
      if (depth > 0) nodes_[i].value = entries[begin].value;
      ++begin;
    }
    nodes_[i].first_child = static_cast<uint32_t>(nodes_.size());
    while (begin < end) {
      const char32_t label = entries[begin].key[depth];
      size_t stop = begin + 1;
      while (stop < end && entries[stop].key[depth] == label) ++stop;
      nodes_.push_back({label, kNoValue, 0, 0});
      groups.push_back({begin, stop, depth + 1});
      ++nodes_[i].child_count;
      begin = stop;
    }
  }

  const Node& root = nodes_[kRoot];
  for (uint32_t i = root.first_child; i < root.first_child + root.child_count; ++i) {
    if (nodes_[i].label > 0xFFFF) break;
    root_children_.resize(nodes_[i].label + 1, kNone);
    root_children_[nodes_[i].label] = i;
  }
}

}  // namespace tw
