// The JSON objects, one a line, that Chinese-CLIP's evaluation tools exchange (cn_clip/eval of OFA-Sys/Chinese-CLIP).
// Keys may come in any order and others may be there. Every function throws Failure naming `place` ("file:line"), the
// field, what was expected and what was found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tuwen_cli {

// {"text_id": 1, "text": "...", "image_ids": [...]}
struct TextLine {
  int64_t id;
  std::string text;
};
TextLine parse_text(std::string_view line, const std::string& place);

// {"text_id": 1, "image_ids": [2, 3]}, with the names given.
struct IdsLine {
  int64_t id;
  std::vector<int64_t> ids;
};
IdsLine parse_ids(std::string_view line, const std::string& place, const char* id, const char* ids);

// {"image_id": 1, "feature": [0.5, ...]}, with the name given; doubles become the nearest float.
struct FeatureLine {
  int64_t id;
  std::vector<float> feature;
};
FeatureLine parse_feature(std::string_view line, const std::string& place, const char* id);

// [3, 1, 2]: a whole file.
std::vector<int64_t> parse_int_list(std::string_view text, const std::string& place);

}  // namespace tuwen_cli
