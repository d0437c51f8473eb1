// JSON files from outside: limits, typed access, errors that name file and key.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace tw {

// The content of a regular file of at most max_bytes. Throws io_error and limit_exceeded.
std::string read_text_file(const std::string& path, size_t max_bytes);

// The object that a file of at most max_bytes holds, nested at most 32 deep. Throws as read_text_file, and malformed.
nlohmann::json read_json_object(const std::string& file, size_t max_bytes);

// A value of a JSON file and where it stands; a view, to be used while value and file name live. A member that is
// missing or null is the same thing: nothing. A member of another type than asked for throws malformed.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, const std::string& file, std::string path = "")
      : value_(value), file_(file), path_(std::move(path)) {}

  const nlohmann::json& value() const { return value_; }
  bool has(const char* key) const { return find(key) != nullptr; }

  std::optional<JsonNode> object(const char* key) const;
  std::optional<bool> boolean(const char* key) const;
  std::optional<std::string> text(const char* key) const;
  std::string text(const char* key, const std::string& fallback) const { return text(key).value_or(fallback); }
  std::optional<int64_t> integer(const char* key) const;

  // Members of an object, or elements of an array, which have no name.
  std::vector<std::pair<std::string, JsonNode>> members() const;
  // Those of a member; none if it is missing.
  std::vector<std::pair<std::string, JsonNode>> members(const char* key) const;

  std::string as_text() const;
  int64_t as_integer() const;

  [[noreturn]] void reject(const std::string& expected, ErrorCode code = ErrorCode::malformed) const;
  [[noreturn]] void missing(const std::string& key, const std::string& expected) const;

 private:
  const nlohmann::json* find(const char* key) const;
  JsonNode child(const std::string& key, const nlohmann::json& value) const;
  std::string child_path(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  const nlohmann::json& value_;
  const std::string& file_;
  std::string path_;
};

}  // namespace tw
