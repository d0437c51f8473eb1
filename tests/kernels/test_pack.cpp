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
    const float* strip = packed.f32_strip_at(column / 16 * 16);
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
      PackedMatrix packed(n, k, DType::f32, "test");
      packed.set_rows(0, n, memory.data());
      CAPTURE(n, k);
      CHECK(packed.n() == n);
      CHECK(packed.k() == k);
      CHECK(reinterpret_cast<uintptr_t>(packed.strip_at(0)) % 64 == 0);
      CHECK(PackedMatrix::bytes_for(n, k, DType::f32) == packed.bytes());
      check_layout(packed, rows);
    }
  }
}

TEST_CASE("pack: bf16 lies in pairs, rounded, depth and strips padded with zeros, however it is made") {
  Random random(3);
  for (const int64_t n : {1, 16, 17, 80}) {
    for (const int64_t k : {1, 2, 31, 32, 33, 100}) {
      const std::vector<float> rows = random.normal_vector(n * k);
      PackedMatrix direct(n, k, DType::bf16, "test"), wide(n, k, DType::f32, "test");
      direct.set_rows(0, n, rows.data());
      wide.set_rows(0, n, rows.data());
      const PackedMatrix rounded = wide.rounded();
      CAPTURE(n, k);
      const int64_t depth = (k + 31) / 32 * 32, strips = (n + 15) / 16;
      REQUIRE(direct.bytes() == strips * 16 * depth * 2);
      REQUIRE(rounded.bytes() == direct.bytes());
      int64_t wrong = 0;
      for (int64_t column = 0; column < strips * 16; ++column) {
        for (int64_t i = 0; i < depth; ++i) {
          const bool there = column < n && i < k;
          const uint16_t expected = there ? f32_to_bf16(rows[static_cast<size_t>(column * k + i)]) : uint16_t{0};
          const int64_t at = (i / 2 * 16 + column % 16) * 2 + i % 2;
          for (const PackedMatrix* m : {static_cast<const PackedMatrix*>(&direct), &rounded})
            wrong += static_cast<const uint16_t*>(m->strip_at(column / 16 * 16))[at] != expected;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("pack: plain rows have every element in its place, zeros behind each row") {
  Random random(6);
  for (const DType type : {DType::bf16, DType::f16}) {
    for (const int64_t n : {1, 16, 31, 80}) {
      for (const int64_t k : {1, 7, 32, 33, 100}) {
        const std::vector<float> rows = random.normal_vector(n * k);
        PackedMatrix packed(n, k, type, "test");
        packed.set_rows(0, n, rows.data());
        const PackedMatrix plain = packed.as_rows();
        const int64_t depth = (k + 31) / 32 * 32;
        CAPTURE(name(type), n, k);
        CHECK(plain.n() == n);
        CHECK(plain.k() == k);
        CHECK(plain.type() == type);
        REQUIRE(plain.bytes() == n * depth * 2);
        int64_t wrong = 0;
        for (int64_t i = 0; i < n * depth; ++i) {
          const float expected = i % depth < k ? rows[static_cast<size_t>(i / depth * k + i % depth)] : 0.0f;
          wrong += plain.memory().as<uint16_t>()[i] != (type == DType::f16 ? f32_to_f16 : f32_to_bf16)(expected);
        }
        CHECK(wrong == 0);
        if (n > 16) CHECK(plain.strip_at(16) == plain.memory().data() + 16 * depth * 2);
        CHECK(plain.skipped_at(16) == 0);
      }
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
    PackedMatrix packed(n, k, DType::f32, "test");
    for (size_t i = cuts.size() - 1; i-- > 0;)
      packed.set_rows(cuts[i], cuts[i + 1] - cuts[i], rows.data() + cuts[i] * k);
    CAPTURE(n, k, repeat);
    check_layout(packed, rows);
  }
}

TEST_CASE("pack: empty matrices, and moving") {
  CHECK(PackedMatrix().bytes() == 0);
  CHECK(PackedMatrix(0, 5, DType::f32, "test").bytes() == 0);
  CHECK(PackedMatrix(5, 0, DType::f32, "test").bytes() == 0);
  PackedMatrix a(3, 2, DType::f32, "test");
  const void* strips = a.strip_at(0);
  const PackedMatrix b = std::move(a);
  CHECK(b.strip_at(0) == strips);
}

TEST_CASE("pack: memory that there is not") {
  expect_error(
      ErrorCode::out_of_memory,
      [] { PackedMatrix(int64_t{1} << 28, int64_t{1} << 28, DType::f32, "the great matrix"); }, "the great matrix");
}

}  // namespace tw::test
