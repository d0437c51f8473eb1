// From ids and pixels to the first matrix of a tower, and element types: all exact.
#include "core/dtype.h"
#include "kernels/check/evidence.h"

namespace tw::check {
namespace {

constexpr int64_t kColumns[] = {1, 7, 16, 33, 80};

// A dense table of numbers.
std::vector<float> numbers(int64_t count, Generator& random) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = random.uniform(-2, 2);
  return values;
}

// A picture of 3 channels whose sides are no multiples of the patch.
struct Picture {
  int64_t height, width, patch;
};
constexpr Picture kPictures[] = {{5, 7, 1}, {9, 13, 4}, {30, 44, 14}, {40, 35, 16}};

template <class Value>
void check_patches(void (*kernel)(const PatchesArgs&), const Picture& p, const void* pixels, const float* table,
                   Value value, Verdict& verdict) {
  const int64_t grid_width = p.width / p.patch, rows = p.height / p.patch * grid_width, area = p.patch * p.patch;
  Matrix y(rows, 3 * area);
  const int64_t cut = rows / 2;
  for (const auto& [first, count] : {std::pair{int64_t{0}, cut}, std::pair{cut, rows - cut}})
    kernel({.pixels = pixels,
            .table = table,
            .width = p.width,
            .height = p.height,
            .channels = 3,
            .patch = p.patch,
            .first_row = first,
            .rows = count,
            .y = y.data() + first * y.stride(),
            .y_stride = y.stride()});
  verdict.intact("patches", y);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < 3 * area; ++c) {
      const int64_t top = r / grid_width * p.patch + c % area / p.patch, left = r % grid_width * p.patch + c % p.patch;
      verdict.exact("patches", r, c, y.at(r, c), static_cast<double>(value(c / area, top, left)));
    }
  }
}

// Each pattern of 16 bits in turn, at every length up to two vectors and then all at once.
template <class Value>
void check_widening(void (*kernel)(const ConvertArgs&), Value value, Verdict& verdict) {
  std::vector<uint16_t> patterns(65536);
  for (size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<uint16_t>(i);
  for (int64_t count = 0; count <= 65536; count += count < 33 ? 1 : 65503) {
    const uint16_t* from = patterns.data() + (65536 - count) / 3;
    Matrix to(1, count);
    kernel({from, to.data(), count});
    verdict.intact("patterns", to);
    for (int64_t i = 0; i < count; ++i) verdict.exact("patterns", from[i], 0, to.at(0, i), value(from[i]));
  }
}

}  // namespace

void embed(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const int64_t columns : kColumns) {
    const std::vector<float> word = numbers(11 * columns, random), type = numbers(2 * columns, random);
    const std::vector<float> position = numbers(7 * columns, random);
    int32_t ids[5], types[5], positions[5];
    for (int i = 0; i < 5; ++i) {
      ids[i] = static_cast<int32_t>(random.integer(0, 10));
      types[i] = static_cast<int32_t>(random.integer(0, 1));
      positions[i] = static_cast<int32_t>(random.integer(0, 6));
    }
    Matrix y(5, columns);
    table.embed({word.data(), type.data(), position.data(), ids, types, positions, y.data(), y.stride(), 5, columns});
    verdict.intact("rows", y);
    for (int64_t r = 0; r < 5; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        const auto at = [&](const std::vector<float>& rows, int32_t id) {
          return rows[static_cast<size_t>(id * columns + c)];
        };
        const float first = at(word, ids[r]) + at(type, types[r]);
        verdict.exact("rows", r, c, y.at(r, c), static_cast<double>(first + at(position, positions[r])));
      }
    }
  }
}

void add_periodic(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const int64_t columns : kColumns) {
    const std::vector<float> added = numbers(3 * columns, random);
    const Matrix old(8, columns, [&] { return random.uniform(-2, 2); });
    Matrix y = old;
    table.add_periodic({added.data(), 3, 4, y.data(), y.stride(), 8, columns});
    verdict.intact("rows", y);
    for (int64_t r = 0; r < 8; ++r)
      for (int64_t c = 0; c < columns; ++c)
        verdict.exact("rows", r, c, y.at(r, c),
                      static_cast<double>(old.at(r, c) + added[static_cast<size_t>((4 + r) % 3 * columns + c)]));
  }
}

void patches_u8(const KernelTable& table, Generator& random, Verdict& verdict) {
  const std::vector<float> values = numbers(3 * 256, random);
  for (const Picture& p : kPictures) {
    std::vector<uint8_t> pixels(static_cast<size_t>(p.height * p.width * 3));
    for (uint8_t& v : pixels) v = static_cast<uint8_t>(random.integer(0, 255));
    const auto value = [&](int64_t c, int64_t y, int64_t x) {
      return values[static_cast<size_t>(c * 256 + pixels[static_cast<size_t>((y * p.width + x) * 3 + c)])];
    };
    check_patches(table.patches_u8, p, pixels.data(), values.data(), value, verdict);
  }
}

void patches_f32(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const Picture& p : kPictures) {
    const std::vector<float> pixels = numbers(3 * p.height * p.width, random);
    const auto value = [&](int64_t c, int64_t y, int64_t x) {
      return pixels[static_cast<size_t>((c * p.height + y) * p.width + x)];
    };
    check_patches(table.patches_f32, p, pixels.data(), nullptr, value, verdict);
  }
}

void f16_to_f32(const KernelTable& table, Generator&, Verdict& verdict) {
  check_widening(
      table.f16_to_f32,
      [](uint16_t bits) {
        const int exponent = bits >> 10 & 31, fraction = bits & 1023;
        const double sign = bits >> 15 != 0 ? -1 : 1;
        if (exponent == 31) return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * HUGE_VAL;
        return exponent == 0 ? sign * std::ldexp(fraction, -24) : sign * std::ldexp(1024 + fraction, exponent - 25);
      },
      verdict);
}

void bf16_to_f32(const KernelTable& table, Generator&, Verdict& verdict) {
  check_widening(
      table.bf16_to_f32,
      [](uint16_t bits) {
        const int exponent = bits >> 7 & 255, fraction = bits & 127;
        const double sign = bits >> 15 != 0 ? -1 : 1;
        if (exponent == 255) return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * HUGE_VAL;
        return exponent == 0 ? sign * std::ldexp(fraction, -133) : sign * std::ldexp(128 + fraction, exponent - 134);
      },
      verdict);
}

// Around every bfloat16 there are its own f32, those next to it, and the ties with its neighbours.
void f32_to_bf16(const KernelTable& table, Generator&, Verdict& verdict) {
  for (const uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
    std::vector<float> from;
    for (uint32_t upper = 0; upper < 65536; ++upper) from.push_back(std::bit_cast<float>(upper << 16 | lower));
    for (int64_t count = 1; count <= 65536; count += count < 33 ? 1 : 65503) {
      const float* some = from.data() + (65536 - count) / 3;
      std::vector<uint16_t> to(static_cast<size_t>(count + 1), 0xABCD);
      table.f32_to_bf16({some, to.data(), count});
      verdict.require(to.back() == 0xABCD, "written behind the end");
      for (int64_t i = 0; i < count; ++i) {
        const uint32_t bits = std::bit_cast<uint32_t>(some[i]), upper = bits >> 16;
        const bool up = lower > 0x8000 || (lower == 0x8000 && upper % 2 == 1);
        const auto nearest = static_cast<uint16_t>(upper + (up && !std::isinf(some[i])));
        const uint16_t got = to[static_cast<size_t>(i)];
        verdict.require(std::isnan(some[i]) ? std::isnan(tw::bf16_to_f32(got)) : got == nearest,
                        "not the nearest, or a tie that is not even");
      }
    }
  }
}

}  // namespace tw::check
