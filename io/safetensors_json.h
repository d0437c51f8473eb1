// The JSON header of a safetensors file, before anything of it is believed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tw {

// One tensor as the header has it. Nothing is checked but the types of the values and the limits.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<int64_t> data_offsets;
};

struct SafetensorsJson {
  std::vector<SafetensorsEntry> entries;  // in the order of the text
  std::map<std::string, std::string> metadata;
};

// Throws malformed or limit_exceeded, naming tensor and key; see read_safetensors_header for the rules.
SafetensorsJson parse_safetensors_json(std::string_view text, const std::string& file);

}  // namespace tw
