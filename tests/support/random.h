// Seeded random inputs, the same on every compiler and standard library. A failing test prints its seed through Catch's
// INFO or CAPTURE; the generator is a value, so a test can copy it to repeat a draw.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace tw::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
  uint64_t bits() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // [0, 1), 53 bits.
  double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * unit(); }
  // An integer of [low, high], both included.
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return unit() < probability; }
  // Box-Muller.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit()));
    return radius * std::cos(2.0 * std::numbers::pi * unit());
  }

  // What activations of trained transformers look like: a normal bulk, and one value in fifty 10 to 100 times as large.
  double heavy_tailed() { return normal() * (chance(0.02) ? uniform(10.0, 100.0) : 1.0); }

  std::vector<float> uniform_vector(int64_t count, double low = -1.0, double high = 1.0) {
    return make(count, [&] { return uniform(low, high); });
  }
  std::vector<float> normal_vector(int64_t count, double scale = 1.0) {
    return make(count, [&] { return scale * normal(); });
  }
  std::vector<float> heavy_tailed_vector(int64_t count) {
    return make(count, [&] { return heavy_tailed(); });
  }
  // Integer values whose products sum exactly in f32 up to K = 2^24 / max(|low|, |high|)^2.
  std::vector<float> integer_vector(int64_t count, int64_t low = -4, int64_t high = 4) {
    return make(count, [&] { return static_cast<double>(integer(low, high)); });
  }

 private:
  template <class Draw>
  static std::vector<float> make(int64_t count, Draw draw) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& v : values) v = static_cast<float>(draw());
    return values;
  }

  uint64_t state_;
};

}  // namespace tw::test
