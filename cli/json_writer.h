// Writes JSON to a stream, value after value; commas and escapes are its business.
#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <string_view>
#include <vector>

namespace tuwen_cli {

// Numbers are the shortest that read back to the same float or double; NaN and infinities, which JSON lacks, are null.
// Bytes of strings that are not UTF-8 become U+FFFD. Nesting and keys are the caller's to get right.
class JsonWriter {
 public:
  explicit JsonWriter(std::ostream& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(float number);
  JsonWriter& value(double number);
  JsonWriter& value(int64_t number);
  JsonWriter& value(int32_t number) { return value(static_cast<int64_t>(number)); }
  JsonWriter& value(uint32_t number) { return value(static_cast<int64_t>(number)); }
  JsonWriter& value(size_t number) { return value(static_cast<int64_t>(number)); }
  JsonWriter& value(bool truth);

  template <class T>
  JsonWriter& array(const T& values) {
    begin_array();
    for (const auto& v : values) value(v);
    return end_array();
  }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::ostream& out_;
  bool need_comma_ = false;
};

}  // namespace tuwen_cli
