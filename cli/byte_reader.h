// Reading numbers and strings one after the other out of bytes that may be damaged.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tuwen_cli {

// Each call takes the next bytes. When they do not suffice, it returns zeros and ok() is false from then on.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  std::string_view take(uint64_t count) {
    if (!ok_ || count > left()) {
      ok_ = false;
      return {};
    }
    const std::string_view part = bytes_.substr(position_, static_cast<size_t>(count));
    position_ += static_cast<size_t>(count);
    return part;
  }
  // A number as it lies in memory.
  template <class T>
  T number() {
    T value = {};
    const std::string_view part = take(sizeof value);
    if (ok_) std::memcpy(&value, part.data(), sizeof value);
    return value;
  }
  // A length in four bytes and that many bytes.
  std::string_view string() { return take(number<uint32_t>()); }

 private:
  std::string_view bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

// The counterparts.
template <class T>
void append_number(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void append_string(std::string& to, std::string_view text) {
  append_number(to, static_cast<uint32_t>(text.size()));
  to += text;
}

}  // namespace tuwen_cli
