// Features that were written before, with their ids.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace tuwen_cli {

struct Features {
  std::vector<int64_t> ids;
  tuwen::Matrix rows;
};

// Reads X.jsonl, or X.npy with X.ids.npy, as FeatureWriter writes them, in parts of at most `part` rows, which are
// handed to use() one after the other. `id_name` is "image_id" or "text_id"; rows are numbered in errors. Throws
// Failure for rows of different length, broken lines and the like.
void for_each_part(const std::string& path, const char* id_name, size_t part,
                   const std::function<void(const Features&)>& use);
// All of them.
Features read_features(const std::string& path, const char* id_name);

// How many there are, without parsing them.
size_t count_features(const std::string& path);

}  // namespace tuwen_cli
