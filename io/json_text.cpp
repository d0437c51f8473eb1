#include "io/json_text.h"

#include "core/error.h"

namespace tw {

using nlohmann::json;

nlohmann::json parse_json(std::string_view text, const std::string& file, const JsonLimits& limits) {
  if (static_cast<int64_t>(text.size()) > limits.max_bytes) {
    throw Error(ErrorCode::limit_exceeded, {.file = file,
                                            .expected = "at most " + std::to_string(limits.max_bytes) + " bytes",
                                            .found = std::to_string(text.size())});
  }
  require_json_object_text(text, file, "");
  const auto check_depth = [&](int depth, json::parse_event_t event, json&) {
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= limits.depth) {
      throw Error(ErrorCode::limit_exceeded,
                  {.file = file, .expected = "JSON nested at most " + std::to_string(limits.depth) + " deep"});
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), check_depth);
  } catch (const json::parse_error& e) {
    throw Error(ErrorCode::malformed,
                {.file = file, .field = "byte " + std::to_string(e.byte), .note = "not valid JSON"});
  } catch (const json::exception& e) {  // a number beyond the range of double
    throw Error(ErrorCode::malformed, {.file = file, .note = printable(e.what())});
  }
}

void require_json_object_text(std::string_view text, const std::string& file, const std::string& field) {
  const size_t zero = text.find('\0');
  if (zero != std::string_view::npos) {
    throw Error(ErrorCode::malformed,
                {.file = file, .field = field, .note = "JSON text has a zero byte at " + std::to_string(zero)});
  }
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{')
    throw Error(ErrorCode::malformed, {.file = file, .field = field, .expected = "a JSON object"});
}

}  // namespace tw
