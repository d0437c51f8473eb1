// A tiny model and pictures, through the public interface alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tuwen/tuwen.hpp"

namespace tuwen::test {

inline std::string base_model() { return TUWEN_TEST_DATA "/models/base"; }

inline const Model& model() {
  static const Model loaded = Model::load(base_model());
  return loaded;
}

// A picture of noise, different for each seed.
inline Image picture(uint32_t seed, int64_t width = 31, int64_t height = 23) {
  std::vector<uint8_t> pixels(static_cast<size_t>(width * height * 3));
  for (uint8_t& p : pixels) {
    seed = seed * 1664525u + 1013904223u;
    p = static_cast<uint8_t>(seed >> 24);
  }
  return Image::from_pixels({pixels.data(), width, height, width * 3, 3}, pixels.size());
}

inline std::vector<Image> pictures(uint32_t count) {
  std::vector<Image> all;
  for (uint32_t i = 0; i < count; ++i) all.push_back(picture(i, 20 + i, 40 - i));
  return all;
}

// Texts of different lengths over the base model's vocabulary.
inline std::vector<std::string> texts(size_t count) {
  const tuwen_processor_info info = model().processor().info();
  std::vector<std::string> all(count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t t = 0; t <= i % 7; ++t) {
      const auto id = static_cast<int32_t>((i * 13 + t * 5) % static_cast<size_t>(info.vocabulary_size));
      all[i] += std::string(model().processor().token(id)) + " ";
    }
  }
  return all;
}

// The status that a call of the C++ interface fails with; TUWEN_OK if it does not.
template <class Call>
tuwen_status status_of(Call&& call) {
  try {
    call();
    return TUWEN_OK;
  } catch (const Error& error) {
    return error.status();
  }
}

}  // namespace tuwen::test
