// A set of code point strings with a number on each, searched one character at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tw {

// Immutable after construction, any number of threads may search. Children of a node lie side by side in the order of
// their labels; those of the root, which has thousands, are found through a table.
class Trie {
 public:
  struct Entry {
    std::u32string key;
    int32_t value;  // not negative
  };

  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = 0;  // the root is nobody's child
  static constexpr int32_t kNoValue = -1;

  Trie() : Trie(std::vector<Entry>{}) {}
  // Empty keys are left out; of equal keys the first counts.
  explicit Trie(std::vector<Entry> entries);

  // The node that `label` leads to, or kNone.
  uint32_t child(uint32_t node, char32_t label) const {
    if (node == kRoot && label < root_children_.size()) return root_children_[label];
    return find_child(nodes_[node], label);
  }
  // The value of the key that ends here, or kNoValue.
  int32_t value(uint32_t node) const { return nodes_[node].value; }
  bool is_leaf(uint32_t node) const { return nodes_[node].child_count == 0; }

 private:
  struct Node {
    char32_t label;
    int32_t value;
    uint32_t first_child;
    uint32_t child_count;
  };

  uint32_t find_child(const Node& node, char32_t label) const {
    uint32_t first = node.first_child;
    uint32_t count = node.child_count;
    while (count > 0) {
      const uint32_t half = count / 2;
      if (nodes_[first + half].label < label) {
        first += half + 1;
        count -= half + 1;
      } else {
        count = half;
      }
    }
    return first < node.first_child + node.child_count && nodes_[first].label == label ? first : kNone;
  }

  std::vector<Node> nodes_;
  std::vector<uint32_t> root_children_;  // for labels up to the largest, U+FFFF at most
};

}  // namespace tw
