// JSON files from outside: parsed under limits, every defect reported as an Error that names file and field.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tw {

struct JsonLimits {
  int64_t max_bytes = int64_t{1} << 20;
  int depth = 32;  // of nested objects and arrays
};

// Throws limit_exceeded for a text beyond the limits, malformed for one that is not JSON, with the byte position. Of a
// repeated key the last value counts, as in Python. NaN and Infinity are not JSON. Look values up with find() or at():
// operator[] on a const object with a missing key is undefined behaviour.
nlohmann::json parse_json(std::string_view text, const std::string& file, const JsonLimits& limits = {});

// Checks shared with parsers that do not build a tree: throws malformed if the text has a zero byte, which
// nlohmann::json takes for the end of input, or does not begin with '{' after white space (a byte order mark included).
void require_json_object_text(std::string_view text, const std::string& file, const std::string& field);

}  // namespace tw
