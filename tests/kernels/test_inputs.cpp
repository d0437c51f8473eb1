// embed, add_periodic and patches: from ids and pixels to the first matrix of a tower. All are exact.
#include <cmath>
#include <numeric>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

constexpr int64_t kColumns[] = {1, 7, 8, 15, 16, 17, 33, 64, 80, 768};

template <class T>
Guarded<T> guarded(std::span<const T> values, Layout layout) {
  Guarded<T> memory(static_cast<int64_t>(values.size()), values, layout.edge, layout.offset);
  memory.freeze();
  return memory;
}

std::vector<int32_t> random_ids(int64_t count, int64_t below, Random& random) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = static_cast<int32_t>(random.integer(0, below - 1));
  return ids;
}

struct Image {
  int64_t height, width, channels, patch;

  int64_t rows() const { return (height / patch) * (width / patch); }
  int64_t columns() const { return channels * patch * patch; }
};

// What the patch matrix holds at (row, column), told by the pixel's place.
template <class Value>
std::vector<float> patch_matrix(const Image& image, Value value) {
  std::vector<float> y;
  for (int64_t row = 0; row < image.rows(); ++row) {
    const int64_t top = row / (image.width / image.patch) * image.patch;
    const int64_t left = row % (image.width / image.patch) * image.patch;
    for (int64_t column = 0; column < image.columns(); ++column) {
      const int64_t area = image.patch * image.patch, within = column % area;
      y.push_back(value(column / area, top + within / image.patch, left + within % image.patch));
    }
  }
  return y;
}

// Sides that are no multiple of the patch leave a margin that belongs to no patch.
constexpr Image kImages[] = {{3, 5, 3, 1},    {4, 6, 3, 2},    {9, 6, 3, 3},    {16, 23, 3, 7},
                             {28, 42, 3, 14}, {32, 50, 3, 16}, {64, 32, 3, 32}, {224, 224, 3, 32}};

using Kernel = void (*KernelTable::*)(const PatchesArgs&);

// The whole matrix at once and in two parts.
template <class T>
void check_patches(Kernel kernel, const Image& image, std::span<const T> pixels, const float* table,
                   std::span<const float> expected, Layout layout) {
  const Guarded<T> memory = guarded(pixels, layout);
  CAPTURE(image.height, image.width, image.channels, image.patch);
  for_each_table([&](const KernelTable& kernels) {
    for (const int64_t cut : {int64_t{0}, image.rows() / 3}) {
      GuardedMatrix y(image.rows(), image.columns(), layout_number(cut + layout.gap));
      const auto rows = [&](int64_t first, int64_t count) {
        (kernels.*kernel)({.pixels = memory.data(),
                           .table = table,
                           .width = image.width,
                           .height = image.height,
                           .channels = image.channels,
                           .patch = image.patch,
                           .first_row = first,
                           .rows = count,
                           .y = y.row(first),
                           .y_stride = y.stride()});
      };
      rows(0, cut);
      rows(cut, image.rows() - cut);
      CHECK(y.damage() == "");
      CHECK(first_difference(y.values(), expected) == -1);
    }
  });
}

}  // namespace

TEST_CASE("embed: the three rows added in their order") {
  Random random(1);
  const int64_t words = 23, types = 2, positions = 52;
  int64_t number = 0;
  for (const int64_t rows : {0, 1, 2, 9}) {
    for (const int64_t columns : kColumns) {
      const std::vector<float> word = random.heavy_tailed_vector(words * columns);
      const std::vector<float> type = random.normal_vector(types * columns);
      const std::vector<float> position = random.normal_vector(positions * columns);
      std::vector<int32_t> ids = random_ids(rows, words, random);
      if (rows > 1) ids.back() = words - 1;  // the last row of the table, at the page's end
      const std::vector<int32_t> type_ids = random_ids(rows, types, random);
      const std::vector<int32_t> position_ids = random_ids(rows, positions, random);
      std::vector<float> expected;
      for (size_t r = 0; r < ids.size(); ++r) {
        for (int64_t c = 0; c < columns; ++c) {
          const auto at = [&](const std::vector<float>& table, int32_t id) {
            return table[static_cast<size_t>(id * columns + c)];
          };
          const float first = at(word, ids[r]) + at(type, type_ids[r]);
          expected.push_back(first + at(position, position_ids[r]));
        }
      }
      const Layout layout = layout_number(number++);
      const Guarded<float> word_memory = guarded_input(word, layout), type_memory = guarded_input(type, layout);
      const Guarded<float> position_memory = guarded_input(position, layout);
      const Guarded<int32_t> id_memory = guarded<int32_t>(ids, layout);
      CAPTURE(rows, columns);
      for_each_table([&](const KernelTable& table) {
        GuardedMatrix y(rows, columns, layout);
        table.embed({.word = word_memory.data(),
                     .type = type_memory.data(),
                     .position = position_memory.data(),
                     .ids = id_memory.data(),
                     .type_ids = type_ids.data(),
                     .position_ids = position_ids.data(),
                     .y = y.data(),
                     .y_stride = y.stride(),
                     .rows = rows,
                     .columns = columns});
        CHECK(y.damage() == "");
        CHECK(first_difference(y.values(), expected) == -1);
      });
    }
  }
}

TEST_CASE("add_periodic: row r gets row (first + r) mod period of the table") {
  Random random(2);
  int64_t number = 0;
  for (const int64_t columns : kColumns) {
    for (const int64_t period : {1, 2, 7}) {
      for (const int64_t first : {0, 1, 5, 700}) {
        const int64_t rows = 11;
        const std::vector<float> values = random.heavy_tailed_vector(rows * columns);
        const std::vector<float> added = random.normal_vector(period * columns);
        std::vector<float> expected = values;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t c = 0; c < columns; ++c)
            expected[static_cast<size_t>(r * columns + c)] +=
                added[static_cast<size_t>((first + r) % period * columns + c)];
        const Layout layout = layout_number(number++);
        const Guarded<float> memory = guarded_input(added, layout);
        CAPTURE(columns, period, first);
        for_each_table([&](const KernelTable& table) {
          GuardedMatrix y(rows, columns, values, layout);
          AddPeriodicArgs args{.table = memory.data(),
                               .period = period,
                               .first = first,
                               .y = y.data(),
                               .y_stride = y.stride(),
                               .rows = 0,
                               .columns = columns};
          table.add_periodic(args);  // no rows: nothing
          args.rows = rows;
          table.add_periodic(args);
          CHECK(y.damage() == "");
          CHECK(first_difference(y.values(), expected) == -1);
        });
      }
    }
  }
}

TEST_CASE("patches of bytes: every pixel through its channel's table") {
  Random random(3);
  int64_t number = 0;
  for (const Image& image : kImages) {
    std::vector<uint8_t> pixels(static_cast<size_t>(image.height * image.width * 3));
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.integer(0, 255));
    const std::vector<float> values = random.normal_vector(3 * 256);
    const Guarded<float> table = guarded_input(values);
    const std::vector<float> expected = patch_matrix(image, [&](int64_t c, int64_t y, int64_t x) {
      return values[static_cast<size_t>(c * 256 + pixels[static_cast<size_t>((y * image.width + x) * 3 + c)])];
    });
    check_patches<uint8_t>(&KernelTable::patches_u8, image, pixels, table.data(), expected, layout_number(number++));
  }
}

TEST_CASE("patches of floats: copied bit for bit") {
  Random random(4);
  int64_t number = 0;
  for (const Image& given : kImages) {
    for (const int64_t channels : {1, 3, 4}) {
      Image image = given;
      image.channels = channels;
      std::vector<float> pixels = random.normal_vector(channels * image.height * image.width);
      pixels[0] = -0.0f;
      const std::vector<float> expected = patch_matrix(image, [&](int64_t c, int64_t y, int64_t x) {
        return pixels[static_cast<size_t>((c * image.height + y) * image.width + x)];
      });
      check_patches<float>(&KernelTable::patches_f32, image, pixels, nullptr, expected, layout_number(number++));
    }
  }
}

}  // namespace tw::test
