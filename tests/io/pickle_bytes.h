// Pickles assembled by the test, opcode by opcode. Joined with +.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/io/zip_bytes.h"

namespace tw::test::pickle {

inline std::string proto() { return "\x80\x02"; }
inline std::string stop() { return "."; }
inline std::string mark() { return "("; }
inline std::string none() { return "N"; }
inline std::string truth(bool value) { return value ? "\x88" : "\x89"; }
inline std::string global(std::string_view module, std::string_view name) {
  return std::string("c").append(module).append("\n").append(name).append("\n");
}
inline std::string text(std::string_view value) {
  std::string out = "X";
  append_number(out, static_cast<uint32_t>(value.size()));
  return out.append(value);
}
inline std::string integer(int32_t value) {
  std::string out = "J";
  append_number(out, value);
  return out;
}
inline std::string big(int64_t value) {
  std::string out("\x8a\x08", 2);
  append_number(out, value);
  return out;
}
inline std::string tuple(std::string_view items) { return std::string("(").append(items).append("t"); }
inline std::string numbers(const std::vector<int64_t>& values) {
  std::string items;
  for (const int64_t v : values) items += big(v);
  return tuple(items);
}
inline std::string dict(std::string_view pairs) { return std::string("}(").append(pairs).append("u"); }
inline std::string call(std::string_view function, std::string_view arguments) {
  return std::string(function).append(arguments).append("R");
}

inline std::string storage(std::string_view type, std::string_view key, int64_t elements) {
  return tuple(text("storage") + global("torch", type) + text(key) + text("cpu") + big(elements)) + "Q";
}
inline std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& size,
                          const std::vector<int64_t>& stride) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              tuple(storage + big(offset) + numbers(size) + numbers(stride) + truth(false) +
                    call(global("collections", "OrderedDict"), ")")));
}

}  // namespace tw::test::pickle
