// preprocessor_config.json.
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/error.h"
#include "io/file.h"
#include "io/json_text.h"
#include "models/image_processor.h"

namespace tw {
namespace {

using nlohmann::json;

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

// One JSON object and where it came from. A key that is missing or null leaves the field as it is, unless said
// otherwise.
class Keys {
 public:
  Keys(const json& object, const std::string& file) : object_(object), file_(file) {}

  [[noreturn]] void fail(ErrorCode code, const std::string& key, const std::string& expected, const json& found) const {
    const std::string text = found.dump(-1, ' ', true, json::error_handler_t::replace);
    throw Error(code, {.file = file_, .field = key, .expected = expected, .found = printable(text)});
  }

  const json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  const json* find_value(const char* key) const {
    const json* value = find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  // null is false, as in Python.
  void read(const char* key, bool& field) const {
    const json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_boolean() && !value->is_null()) fail(ErrorCode::malformed, key, "true or false", *value);
    field = value->is_boolean() && value->get<bool>();
  }

  int32_t pixels(const std::string& key, const json& value) const {
    const bool whole = value.is_number_unsigned() && value.get<uint64_t>() >= 1;
    if (!whole) fail(ErrorCode::malformed, key, "a positive integer", value);
    if (value.get<uint64_t>() > kMaxResizeSide) {
      fail(ErrorCode::limit_exceeded, key, "at most " + std::to_string(kMaxResizeSide), value);
    }
    return static_cast<int32_t>(value.get<uint64_t>());
  }

  double number(const std::string& key, const json& value) const {
    if (!value.is_number()) fail(ErrorCode::malformed, key, "a number", value);
    return value.get<double>();
  }

 private:
  const json& object_;
  const std::string& file_;
};

bool has_keys(const json& object, std::initializer_list<const char*> keys) {
  if (!object.is_object() || object.size() != keys.size()) return false;
  for (const char* key : keys) {
    if (!object.contains(key)) return false;
  }
  return true;
}

// {height, width} or [height, width]; nothing for another form.
std::optional<ImageExtent> read_extent(const Keys& keys, const char* key, const json& value) {
  const std::string name = key;
  if (has_keys(value, {"height", "width"})) {
    return ImageExtent{keys.pixels(name + ".height", value.at("height")),
                       keys.pixels(name + ".width", value.at("width"))};
  }
  if (value.is_array() && value.size() == 2) {
    return ImageExtent{keys.pixels(name + "[0]", value.at(0)), keys.pixels(name + "[1]", value.at(1))};
  }
  return std::nullopt;
}

ResizeTarget read_size(const Keys& keys, const json& value) {
  if (const auto extent = read_extent(keys, "size", value)) return {.height = extent->height, .width = extent->width};
  if (value.is_number()) return {.shortest_edge = keys.pixels("size", value)};
  if (has_keys(value, {"shortest_edge"}))
    return {.shortest_edge = keys.pixels("size.shortest_edge", value.at("shortest_edge"))};
  if (has_keys(value, {"shortest_edge", "longest_edge"})) {
    ResizeTarget target = {.shortest_edge = keys.pixels("size.shortest_edge", value.at("shortest_edge"))};
    const json& longest = value.at("longest_edge");
    if (!longest.is_null()) target.longest_edge = keys.pixels("size.longest_edge", longest);
    if (target.longest_edge != 0 && target.longest_edge <= target.shortest_edge) {
      keys.fail(ErrorCode::malformed, "size.longest_edge", "more than size.shortest_edge", longest);
    }
    return target;
  }
  keys.fail(
      ErrorCode::malformed, "size",
      "an integer, [height, width], or an object with the keys height and width, shortest_edge, or shortest_edge and "
      "longest_edge",
      value);
}

ImageExtent read_crop_size(const Keys& keys, const json& value) {
  if (const auto extent = read_extent(keys, "crop_size", value)) return *extent;
  if (value.is_number()) {
    const int32_t side = keys.pixels("crop_size", value);
    return {side, side};
  }
  keys.fail(ErrorCode::malformed, "crop_size",
            "an integer, [height, width], or an object with the keys height and width", value);
}

std::vector<double> read_channel_values(const Keys& keys, const char* key, const json& value) {
  if (value.is_number()) return {keys.number(key, value)};
  if (!value.is_array() || (value.size() != 1 && value.size() != 3)) {
    keys.fail(ErrorCode::malformed, key, "a number or a list of one per channel (1 or 3)", value);
  }
  std::vector<double> values;
  for (const json& item : value) values.push_back(keys.number(key, item));
  return values;
}

void check_type(const Keys& keys) {
  for (const char* key : {"image_processor_type", "feature_extractor_type"}) {
    const json* value = keys.find_value(key);
    if (value == nullptr) continue;
    const std::string type = value->is_string() ? value->get<std::string>() : "";
    if (type != "ChineseCLIPImageProcessor" && type != "ChineseCLIPImageProcessorFast" &&
        type != "ChineseCLIPFeatureExtractor") {
      keys.fail(ErrorCode::unsupported, key, "ChineseCLIPImageProcessor or ChineseCLIPFeatureExtractor", *value);
    }
    return;  // the first one decides
  }
}

}  // namespace

ImageProcessorOptions parse_image_processor_config(std::string_view text, const std::string& file) {
  const json root = parse_json(text, file);
  const Keys keys(root, file);
  if (!root.is_object()) keys.fail(ErrorCode::malformed, "", "a JSON object", root);
  check_type(keys);

  ImageProcessorOptions options;
  keys.read("do_resize", options.do_resize);
  keys.read("do_center_crop", options.do_center_crop);
  keys.read("do_rescale", options.do_rescale);
  keys.read("do_normalize", options.do_normalize);
  keys.read("do_convert_rgb", options.do_convert_rgb);
  if (const json* value = keys.find_value("size")) options.size = read_size(keys, *value);
  if (const json* value = keys.find_value("crop_size")) options.crop_size = read_crop_size(keys, *value);
  if (const json* value = keys.find("resample")) {
    // The function behind the reference's resize takes null for bilinear.
    const bool known = value->is_null() || (value->is_number_unsigned() && value->get<uint64_t>() <= 5);
    if (!known) keys.fail(ErrorCode::malformed, "resample", "0 to 5", *value);
    options.resample = value->is_null() ? ResizeFilter::bilinear : static_cast<ResizeFilter>(value->get<int>());
  }
  if (const json* value = keys.find("rescale_factor")) {
    if (!value->is_null()) {
      options.rescale_factor = keys.number("rescale_factor", *value);
    } else if (options.do_rescale) {
      keys.fail(ErrorCode::malformed, "rescale_factor", "a number when do_rescale is on", *value);
    }
  }
  if (const json* value = keys.find_value("image_mean"))
    options.image_mean = read_channel_values(keys, "image_mean", *value);
  if (const json* value = keys.find_value("image_std"))
    options.image_std = read_channel_values(keys, "image_std", *value);
  return options;
}

ImageProcessorOptions read_image_processor_config(const std::filesystem::path& directory_or_file) {
  std::error_code ignored;
  const bool directory = std::filesystem::is_directory(directory_or_file, ignored);
  const std::filesystem::path path = directory ? directory_or_file / "preprocessor_config.json" : directory_or_file;
  return parse_image_processor_config(read_whole(path, kMaxConfigBytes), printable(path.native(), 1024));
}

}  // namespace tw
