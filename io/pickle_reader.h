// Reading Python pickles as inert data. Nothing is imported, called or constructed: a "call" in the pickle becomes a
// node that names the function and holds its arguments, and what to make of it is up to the caller.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tw {

enum class PickleKind : uint8_t {
  none,
  boolean,
  integer,      // fits 64 bits
  big_integer,  // text(): little-endian two's complement
  real,
  string,      // text(): UTF-8 as written
  bytes,       // text()
  tuple,       // items()
  list,        // items()
  set,         // items(), always empty: nothing here writes into sets
  dict,        // items(): key, value, key, value ...
  global,      // text(): "module.name"
  call,        // items(): the function (a global), then its arguments
  persistent,  // items(): the parts of the identifier, a tuple
};

// A value of a PickleTree: a small handle.
struct PickleValue {
  PickleKind kind = PickleKind::none;
  int64_t number = 0;  // boolean, integer; the bits of a real; otherwise an index into the tree
};

// The values of one pickle. Values may be shared and may even contain themselves, as in Python: follow items() only as
// far as the expected structure goes. Texts point into the bytes it was parsed from, which must outlive it. Immutable
// after parsing; concurrent reads are safe.
class PickleTree {
 public:
  PickleValue root() const { return root_; }
  std::span<const PickleValue> items(PickleValue value) const;  // empty for kinds without items
  std::string_view text(PickleValue value) const;               // empty for kinds without text
  double real(PickleValue value) const;                         // integer or real, else 0

  std::span<const PickleValue> persistent_ids() const { return persistent_ids_; }  // in the order met

  // The value under a string key of a dict; nullptr if it is no dict or has no such key. Of equal keys the last counts.
  const PickleValue* find(PickleValue dict, std::string_view key) const;

 private:
  friend class PickleMachine;
  PickleValue root_;
  std::vector<std::vector<PickleValue>> sequences_;
  std::vector<std::string_view> texts_;
  std::vector<std::string> globals_;
  std::vector<PickleValue> persistent_ids_;
};

// Parses one pickle at the start of `bytes` and returns it with the number of bytes it takes. The opcodes are those of
// PyTorch's weights-only reader (pickle protocol 2). A global that is not in `allowed` ("module.name") is an error, so
// that a file which wants more than data is named as such. Limits: 65,536 values on the stack, 1,048,576 memo entries
// and containers, 8,388,608 items, texts of 64 KiB.
//
// Throws truncated, malformed (naming the byte), limit_exceeded, or unsupported (opcode or global named).
// `file` stands for the source in messages.
std::pair<PickleTree, size_t> parse_pickle(std::string_view bytes, std::span<const std::string_view> allowed,
                                           const std::string& file);

}  // namespace tw
