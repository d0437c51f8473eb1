// Sessions whose kernels begin before those in front of them have ended.
#include "tests/cuda/picture_cases.h"
#include "tests/cuda/tower_cases.h"
#include "tests/cuda/under_test.h"

namespace tw::test {

TEST_CASE("cuda session: kernels that begin early compute the same bits, one after the other and recorded") {
  const Device in_turn = device_under_test(), early = early_device_under_test();
  if (!early) return;
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::f16, Precision::fp8}) {
    if (precision == Precision::fp8 && !early.fp8) continue;
    const ChineseClipConfig config = tiny_config();
    const auto model = load(config, precision);
    const Inputs in(config);
    Session expected(model, {.device = in_turn}), large(model, {.device = early}),
        small(model, {.max_rows = 1, .device = early});
    const std::vector<float> all = encode_all(expected, in);
    for (int times = 0; times < 3; ++times) CHECK(encode_all(large, in) == all);
    CHECK(encode_all(small, in) == all);
  }
}

TEST_CASE("cuda session: kernels that begin early resize pictures as others do") {
  const Device in_turn = device_under_test(), early = early_device_under_test();
  if (!early) return;
  const auto model = load(tiny_config());
  Session expected(model, {.device = in_turn}), session(model, {.max_rows = 20, .device = early});
  const std::vector<Image> pictures = some_pictures(11);
  for (const ImageProcessorOptions& options : ways_to(8, ResizeFilter::bicubic))
    CHECK(encode(session, options, pictures) == encode(expected, options, pictures));
}

}  // namespace tw::test
