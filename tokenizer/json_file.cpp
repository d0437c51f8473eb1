#include "tokenizer/json_file.h"

#include <filesystem>
#include <fstream>

namespace tw {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr size_t kPathInMessages = 512;  // bytes

std::string shown(const json& value) {
  if (value.is_array()) return "a list";
  if (!value.is_object()) return printable(value.dump(-1, ' ', false, json::error_handler_t::replace));
  const auto type = value.find("type");
  return type != value.end() && type->is_string() ? '"' + printable(type->get<std::string>()) + '"' : "an object";
}

}  // namespace

std::string read_text_file(const std::string& path, size_t max_bytes) {
  const std::string file = printable(path, kPathInMessages);
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw Error(ErrorCode::io_error, {.file = file, .note = error ? error.message() : "no such file"});
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw Error(ErrorCode::io_error, {.file = file, .expected = "a regular file", .found = "a directory or device"});
  }
  std::ifstream stream(path, std::ios::binary);
  std::string text;
  for (std::vector<char> chunk(size_t{1} << 16); stream;) {
    stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    text.append(chunk.data(), static_cast<size_t>(stream.gcount()));
    if (text.size() > max_bytes) {
      throw Error(ErrorCode::limit_exceeded,
                  {.file = file, .expected = std::to_string(max_bytes) + " bytes at most", .found = "more"});
    }
  }
  if (!stream.eof()) throw Error(ErrorCode::io_error, {.file = file, .note = "cannot be read"});
  return text;
}

json read_json_object(const std::string& path, size_t max_bytes) {
  const std::string file = printable(path, kPathInMessages);
  const std::string text = read_text_file(path, max_bytes);
  if (text.find('\0') != std::string::npos) throw Error(ErrorCode::malformed, {.file = file, .note = "a zero byte"});
  const auto limit_depth = [&](int depth, json::parse_event_t event, json&) {
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= kMaxDepth) {
      throw Error(ErrorCode::limit_exceeded,
                  {.file = file, .expected = "JSON nested " + std::to_string(kMaxDepth) + " deep at most"});
    }
    return true;
  };
  json value;
  try {
    value = json::parse(text, limit_depth);
  } catch (const json::parse_error& e) {
    throw Error(ErrorCode::malformed,
                {.file = file, .field = "byte " + std::to_string(e.byte), .note = "not valid JSON"});
  } catch (const json::exception&) {  // a number beyond the range of double
    throw Error(ErrorCode::malformed, {.file = file, .note = "a number out of range"});
  }
  if (!value.is_object()) throw Error(ErrorCode::malformed, {.file = file, .expected = "a JSON object"});
  return value;
}

const json* JsonNode::find(const char* key) const {
  const auto found = value_.find(key);
  return found == value_.end() || found->is_null() ? nullptr : &*found;
}

JsonNode JsonNode::child(const std::string& key, const json& value) const {
  return JsonNode(value, file_, child_path(key));
}

std::optional<JsonNode> JsonNode::object(const char* key) const {
  const json* member = find(key);
  if (member == nullptr) return std::nullopt;
  if (!member->is_object()) child(key, *member).reject("an object");
  return child(key, *member);
}

std::optional<bool> JsonNode::boolean(const char* key) const {
  const json* member = find(key);
  if (member == nullptr) return std::nullopt;
  if (!member->is_boolean()) child(key, *member).reject("true or false");
  return member->get<bool>();
}

std::optional<std::string> JsonNode::text(const char* key) const {
  const json* member = find(key);
  if (member == nullptr) return std::nullopt;
  return child(key, *member).as_text();
}

std::optional<int64_t> JsonNode::integer(const char* key) const {
  const json* member = find(key);
  if (member == nullptr) return std::nullopt;
  return child(key, *member).as_integer();
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  std::vector<std::pair<std::string, JsonNode>> all;
  all.reserve(value_.size());
  if (value_.is_object()) {
    for (const auto& [name, member] : value_.items()) all.emplace_back(name, child(printable(name), member));
  } else {
    for (const json& element : value_) all.emplace_back("", child(std::to_string(all.size()), element));
  }
  return all;
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members(const char* key) const {
  const json* member = find(key);
  if (member == nullptr) return {};
  if (!member->is_structured()) child(key, *member).reject("an object or a list");
  return child(key, *member).members();
}

std::string JsonNode::as_text() const {
  if (!value_.is_string()) reject("a string");
  return value_.get<std::string>();
}

int64_t JsonNode::as_integer() const {
  if (value_.is_number_unsigned() && value_.get<uint64_t>() > uint64_t{INT64_MAX}) reject("a smaller number");
  if (!value_.is_number_integer()) reject("an integer");
  return value_.get<int64_t>();
}

void JsonNode::reject(const std::string& expected, ErrorCode code) const {
  throw Error(
      code, {.file = printable(file_, kPathInMessages), .field = path_, .expected = expected, .found = shown(value_)});
}

void JsonNode::missing(const std::string& key, const std::string& expected) const {
  throw Error(
      ErrorCode::malformed,
      {.file = printable(file_, kPathInMessages), .field = child_path(key), .expected = expected, .found = "nothing"});
}

}  // namespace tw
