#include "cli/json_lines.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

using nlohmann::json;

constexpr size_t kShown = 60;

[[noreturn]] void fail(const std::string& place, const std::string& field, const std::string& expected,
                       std::string_view found) {
  throw Failure(place + ": " + field + ": expected " + expected + ", found " + one_line(found.substr(0, kShown)) +
                (found.size() > kShown ? "..." : ""));
}

std::string shown(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json parse(std::string_view line, const std::string& place, json::value_t type, const char* expected) {
  json value = json::parse(line, nullptr, false);
  if (value.is_discarded() || value.type() != type) {
    fail(place, "line", expected, line.empty() ? std::string_view("nothing") : line);
  }
  return value;
}

json parse_object(std::string_view line, const std::string& place) {
  return parse(line, place, json::value_t::object, "a JSON object");
}

const json& member(const json& object, const std::string& place, const char* name, const char* expected) {
  const auto found = object.find(name);
  if (found == object.end()) fail(place, name, expected, "no such key");
  return *found;
}

int64_t integer(const json& value, const std::string& place, const std::string& field) {
  const bool fits = value.is_number_integer() &&
                    !(value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX));
  if (!fits) fail(place, field, "an integer", shown(value));
  return value.get<int64_t>();
}

std::vector<int64_t> integers(const json& list, const std::string& place, const std::string& field) {
  if (!list.is_array()) fail(place, field, "a list of integers", shown(list));
  std::vector<int64_t> values;
  values.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    values.push_back(integer(list[i], place, field + "[" + std::to_string(i) + "]"));
  }
  return values;
}

}  // namespace

TextLine parse_text(std::string_view line, const std::string& place) {
  const json object = parse_object(line, place);
  const int64_t id = integer(member(object, place, "text_id", "an integer"), place, "text_id");
  const json& text = member(object, place, "text", "a string");
  if (!text.is_string()) fail(place, "text", "a string", shown(text));
  return {id, text.get<std::string>()};
}

IdsLine parse_ids(std::string_view line, const std::string& place, const char* id, const char* ids) {
  const json object = parse_object(line, place);
  const int64_t number = integer(member(object, place, id, "an integer"), place, id);
  return {number, integers(member(object, place, ids, "a list of integers"), place, ids)};
}

FeatureLine parse_feature(std::string_view line, const std::string& place, const char* id) {
  const json object = parse_object(line, place);
  FeatureLine row{integer(member(object, place, id, "an integer"), place, id), {}};
  const json& feature = member(object, place, "feature", "a list of numbers");
  if (!feature.is_array()) fail(place, "feature", "a list of numbers", shown(feature));
  row.feature.reserve(feature.size());
  for (size_t i = 0; i < feature.size(); ++i) {
    const std::string field = feature[i].is_number() ? std::string() : "feature[" + std::to_string(i) + "]";
    if (!field.empty()) fail(place, field, "a number", shown(feature[i]));
    row.feature.push_back(static_cast<float>(feature[i].get<double>()));
  }
  return row;
}

std::vector<int64_t> parse_int_list(std::string_view text, const std::string& place) {
  return integers(parse(text, place, json::value_t::array, "a JSON list"), place, "list");
}

}  // namespace tuwen_cli
