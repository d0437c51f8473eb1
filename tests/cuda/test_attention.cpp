// Attention of whole batches: more keys and queries than one tile has, every width of head.
#include "tests/cuda/attention_cases.h"
#include "tests/cuda/under_test.h"

namespace tw::test {

TEST_CASE("cuda attention: packed sequences in f32") {
  in_every_order([] { check_batch<DType::f32>({{5, 1, 33, 70}, 2, 8}, 0, 2e-5, 1); });
  check_batch<DType::f32>({{17, 52}, 2, 64}, 3, 2e-5, 2);
  check_batch<DType::f32>({{40}, 1, 80}, 1, 2e-5, 3);
  check_batch<DType::f32>({{7, 3}, 1, 150}, 0, 2e-5, 4);  // wider than a chunk of columns
}

TEST_CASE("cuda attention_half: packed sequences, tiles that are full, nearly empty and begun") {
  in_every_order([] { check_batch<DType::bf16>({{5, 1, 33, 70}, 2, 16}, 0, 0x1p-7, 5); });
  check_batch<DType::bf16>({{64, 65, 128, 131}, 1, 16}, 0, 0x1p-7, 6);
  const uint64_t conflicts = bank_conflicts();
  check_batch<DType::bf16>({{52, 17}, 2, 64}, 8, 0x1p-7, 7);
  check_batch<DType::bf16>({{65, 16}, 2, 80}, 0, 0x1p-7, 8);
  CHECK(bank_conflicts() == conflicts);
  check_batch<DType::bf16>({{65}, 2, 80}, 2, 0x1p-7, 9);  // rows not a multiple of 16 bytes apart
}

TEST_CASE("cuda attention_half: every width of head, in bf16 and in f16") {
  for (const int64_t width : {2, 8, 24, 32, 40, 48, 64, 80, 96, 100, 112, 128}) {
    check_batch<DType::bf16>({{19, 3}, 2, width}, 0, 0x1p-7, 10 + static_cast<uint64_t>(width));
    check_batch<DType::f16>({{19, 3}, 2, width}, 0, 0x1p-10, 10 + static_cast<uint64_t>(width));
  }
  check_batch<DType::f16>({{64, 65, 5, 131}, 1, 24}, 2, 0x1p-10, 11);
  check_batch<DType::bf16, DType::e4m3>({{65, 17}, 2, 27}, 0, 0x1p-3, 12);
}

}  // namespace tw::test
