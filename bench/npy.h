// Arrays in NumPy's file format, so that other programs get the same inputs and can compare results.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace tw::bench {

// Format 1.0, C order; the product of `shape` is the number of values. Throws std::runtime_error.
void save_npy(const std::filesystem::path& path, const std::vector<size_t>& shape, std::span<const float> values);
void save_npy(const std::filesystem::path& path, const std::vector<size_t>& shape, std::span<const int32_t> values);
void save_npy(const std::filesystem::path& path, const std::vector<size_t>& shape, std::span<const int64_t> values);

}  // namespace tw::bench
