#include "bench/inputs.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tw::bench {

std::vector<uint8_t> photograph(int64_t width, int64_t height, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::normal_distribution<float> noise(0, 6);
  constexpr int kWaves = 12;
  float waves[kWaves][6];  // x and y frequency, phase, and strength of each channel
  for (auto& wave : waves) {
    const float octave = std::exp2(uniform(generator) * 6);
    wave[0] = octave * (uniform(generator) - 0.5f) * 6.28f;
    wave[1] = octave * (uniform(generator) - 0.5f) * 6.28f;
    wave[2] = uniform(generator) * 6.28f;
    for (int c = 0; c < 3; ++c) wave[3 + c] = (uniform(generator) - 0.3f) * 60 / std::sqrt(octave);
  }
  const float edge = 0.3f + 0.4f * uniform(generator);
  std::vector<uint8_t> pixels(static_cast<size_t>(width * height * 3));
  uint8_t* out = pixels.data();
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const float fx = static_cast<float>(x) / static_cast<float>(width);
      const float fy = static_cast<float>(y) / static_cast<float>(height);
      float rgb[3] = {118, 120, 112};
      for (const auto& wave : waves) {
        const float s = std::sin(wave[0] * fx + wave[1] * fy + wave[2]);
        for (int c = 0; c < 3; ++c) rgb[c] += wave[3 + c] * s;
      }
      const float step = fx + 0.3f * fy > edge ? 25.0f : -25.0f;
      for (const float value : rgb)
        *out++ = static_cast<uint8_t>(std::clamp(value + step + noise(generator), 0.0f, 255.0f));
    }
  }
  return pixels;
}

std::vector<int32_t> token_row(int64_t tokens, int64_t vocabulary, uint32_t seed) {
  std::mt19937 generator(seed);
  const int32_t first = static_cast<int32_t>(std::min<int64_t>(670, vocabulary / 2));
  std::uniform_int_distribution<int32_t> id(first, static_cast<int32_t>(vocabulary - 1));
  std::vector<int32_t> row(static_cast<size_t>(tokens));
  for (int32_t& value : row) value = id(generator);
  if (vocabulary > 103) {
    row.front() = 101;
    row.back() = 102;
  }
  return row;
}

}  // namespace tw::bench
