// Which weights a benchmark ran on.
#pragma once

#include <filesystem>
#include <string>

namespace tw::bench {

// 16 hexadecimal digits of the SHA-256 over the names, sizes, first and last MiB of the weights files of a model
// directory and over its config.json, in the order of their names: "head+tail+size:0123456789abcdef". Reading all of a
// large model takes seconds; retrained weights differ in their first tensors.
std::string checkpoint_hash(const std::filesystem::path& directory);

}  // namespace tw::bench
