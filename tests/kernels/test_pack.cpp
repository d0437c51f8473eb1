// PackedMatrix: the layout that kernel_table.h describes, however the rows arrive.
#include <cstdint>

#include "core/error.h"
#include "tests/kernels/harness.h"
#include "tests/support/expect_error.h"

namespace tw::test {
namespace {

// Column n of the product is lane n % 16 of strip n / 16; a strip holds [k][16] floats; absent columns are zero.
void check_layout(const PackedMatrix& packed, std::span<const float> rows) {
  const int64_t n = packed.n(), k = packed.k(), strips = (n + 15) / 16;
  REQUIRE(packed.bytes() == strips * 16 * k * 4);
  int64_t wrong = 0;
  for (int64_t column = 0; column < strips * 16; ++column) {
    const float* strip = packed.strip_at(column / 16 * 16);
    for (int64_t i = 0; i < k; ++i) {
      const float expected = column < n ? rows[static_cast<size_t>(column * k + i)] : 0.0f;
      wrong += std::bit_cast<uint32_t>(strip[i * 16 + column % 16]) != std::bit_cast<uint32_t>(expected);
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("pack: every element in its place, whole strips padded with zeros") {
  Random random(1);
  for (const int64_t n : {1, 2, 15, 16, 17, 31, 33, 64, 80, 129}) {
    for (const int64_t k : {1, 2, 7, 15, 16, 17, 33, 64, 100}) {
      const std::vector<float> rows = random.normal_vector(n * k);
      const Guarded<float> memory = guarded_input(rows);
      PackedMatrix packed(n, k, "test");
      packed.set_rows(0, n, memory.data());
      CAPTURE(n, k);
      CHECK(packed.n() == n);
      CHECK(packed.k() == k);
      CHECK(reinterpret_cast<uintptr_t>(packed.strips()) % 64 == 0);
      CHECK(packed.strips() == packed.strip_at(0));
      CHECK(PackedMatrix::bytes_for(n, k) == packed.bytes());
      check_layout(packed, rows);
    }
  }
}

TEST_CASE("pack: rows may come in parts and in any order") {
  Random random(2);
  for (int repeat = 0; repeat < 50; ++repeat) {
    const int64_t n = random.integer(1, 90), k = random.integer(1, 40);
    const std::vector<float> rows = random.normal_vector(n * k);
    std::vector<int64_t> cuts = {0, n};
    for (int i = 0; i < 4; ++i) cuts.push_back(random.integer(0, n));
    std::sort(cuts.begin(), cuts.end());
    PackedMatrix packed(n, k, "test");
    for (size_t i = cuts.size() - 1; i-- > 0;)
      packed.set_rows(cuts[i], cuts[i + 1] - cuts[i], rows.data() + cuts[i] * k);
    CAPTURE(n, k, repeat);
    check_layout(packed, rows);
  }
}

TEST_CASE("pack: empty matrices, and moving") {
  CHECK(PackedMatrix().bytes() == 0);
  CHECK(PackedMatrix(0, 5, "test").bytes() == 0);
  CHECK(PackedMatrix(5, 0, "test").bytes() == 0);
  PackedMatrix a(3, 2, "test");
  const float* strips = a.strips();
  const PackedMatrix b = std::move(a);
  CHECK(b.strips() == strips);
}

TEST_CASE("pack: memory that there is not") {
  expect_error(
      ErrorCode::out_of_memory, [] { PackedMatrix(int64_t{1} << 28, int64_t{1} << 28, "the great matrix"); },
      "the great matrix");
}

}  // namespace tw::test
