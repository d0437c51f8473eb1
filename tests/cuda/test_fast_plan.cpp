// The fast plan on a device: sessions whose products a fake library (fake_blaslt.h) computes.
#include <algorithm>

#include "core/error.h"
#include "tests/cuda/fake_blaslt.h"
#include "tests/cuda/tower_cases.h"
#include "tests/support/expect_error.h"

namespace tw::test {
namespace {

// Of a driver and a library that the test has put in use.
Device fast_device() { return with_library(fake_device()); }

const FakeWay kFaster = {.milliseconds = -10}, kSlower = {.milliseconds = 10};

struct Fakes {
  Driver driver_in_use;
  FakeBlasLt library;
  explicit Fakes(std::vector<FakeWay> ways) {
    driver = &driver_in_use;
    fake_blaslt = &library;
    library.ways = std::move(ways);
  }
  int products() const { return library.by.empty() ? 0 : library.by[0]; }
};

}  // namespace

TEST_CASE("cuda session: the fast plan computes what the exact one does, by the library where that is faster") {
  for (const Precision precision : {Precision::bf16, Precision::f16, Precision::fp8}) {
    for (const bool sm90 : {false, true}) {
      const bool larger = precision == Precision::bf16 && !sm90;
      const ChineseClipConfig config = larger ? small_awkward_config() : tiny_config();
      const Inputs in(config);
      CAPTURE(static_cast<int>(precision), sm90);
      Fakes fakes({kFaster});
      const Device device = sm90 ? fake_device_sm90() : fake_device();
      const auto fast = load(config, precision, Plan::fast);
      Session exact(load(config, precision), {.device = device}), session(fast, {.device = with_library(device)});
      const std::vector<float> expected = encode_all(exact, in), found = encode_all(session, in);
      CHECK((found != expected) == (precision != Precision::fp8));
      CHECK(largest_difference(found, expected) <= (precision == Precision::f16 ? 2e-3 : 0.02));
      CHECK(session.product_library() == "cuBLASLt 13.1.0");
      CHECK(exact.product_library().empty());
      // Of an FP8 model the patch embedding alone is not in E4M3: a trial and the product, and the product again.
      CHECK((precision == Precision::fp8 ? fakes.products() == 9 : fakes.products() > 30));

      // What was chosen is chosen, recorded or not, for other sessions too.
      const int asked = fakes.library.asked;
      for (int times = 0; times < 2; ++times) CHECK(encode_all(session, in) == found);
      CHECK(driver->launches == 6);
      Session another(fast, {.device = with_library(device)});
      CHECK(encode_all(another, in) == found);
      CHECK(fakes.library.asked == asked);
    }
  }
}

TEST_CASE("cuda session: the fast plan has the exact one's bits where the own kernels are faster, or alone") {
  const ChineseClipConfig config = tiny_config();
  const Inputs in(config);
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::f16, Precision::fp8}) {
    CAPTURE(static_cast<int>(precision));
    Fakes fakes({kSlower});
    const auto model = load(config, precision), fast = load(config, precision, Plan::fast);
    {
      Session exact(model, {.device = fake_device()}), slower(fast, {.device = fast_device()}),
          missing(fast, {.device = with_library(fake_device(), missing_library)}),
          without(fast, {.device = fake_device()});
      const std::vector<float> expected = encode_all(exact, in);
      for (int times = 0; times < 2; ++times)
        for (Session* session : {&slower, &missing, &without}) CHECK(encode_all(*session, in) == expected);
      const bool f32 = precision == Precision::f32;
      CHECK((fakes.library.calls == 0) == f32);
      CHECK(slower.product_library() == (f32 ? "" : "cuBLASLt 13.1.0"));
      CHECK(missing.product_library() == (f32 ? "" : "none: no libcublasLt.so.13"));
      CHECK(without.product_library().empty());
      CHECK(missing.scratch_bytes() == exact.scratch_bytes());
      CHECK(missing.device_weight_bytes() == exact.device_weight_bytes());
    }
  }
}

TEST_CASE("cuda session: while a slice is recorded nothing is tried") {
  Fakes fakes({kFaster});
  const ChineseClipConfig config = tiny_config();
  Inputs in(config);
  const auto model = load(config, Precision::bf16, Plan::fast);
  Session exact(load(config, Precision::bf16), {.device = fake_device()}), session(model, {.device = fast_device()});
  std::vector<float> out(2 * 12), expected(out.size());
  const std::vector<float> good = in.values;
  std::fill(in.values.begin(), in.values.end(), NAN);  // of which nothing can be learnt
  session.encode_images(in.images(), out);
  CHECK(fakes.library.asked > 5);
  const int asked = fakes.library.asked;
  in.values = good;
  exact.encode_images(in.images(), expected);
  for (int times = 0; times < 2; ++times) {
    session.encode_images(in.images(), out);
    CHECK(out == expected);
  }
  CHECK(fakes.library.asked == asked);
  CHECK(fakes.driver_in_use.launches == 2);
}

TEST_CASE("cuda session: a forward pass of the fast plan is near the exact one's") {
  Fakes fakes({kFaster});
  const ChineseClipConfig config = tiny_config();
  const Inputs in(config);
  Session exact(load(config, Precision::bf16), {.device = fake_device()}),
      fast(load(config, Precision::bf16, Plan::fast), {.device = fast_device()});
  VisionForward call;
  call.wanted = {.last_hidden_state = true,
                 .pooler = true,
                 .hidden_states = true,
                 .attentions = false,
                 .cache = false,
                 .features = true,
                 .embeds = true};
  call.pixel_values.data = in.values.data();
  for (const int64_t d : {2, 3, 8, 8}) call.pixel_values.shape[call.pixel_values.rank++] = d;
  const Outputs there = fast.forward(call), here = exact.forward(call);
  CHECK(fakes.products() > 30);
  REQUIRE(there.arrays().size() == here.arrays().size());
  for (size_t i = 0; i < here.arrays().size(); ++i) {
    const auto floats = [](const Outputs::Array& array) {
      const auto* values = array.values.as<float>();
      return std::vector<float>(values, values + array.values.size() / size_of(DType::f32));
    };
    INFO(here.arrays()[i].name);
    CHECK(largest_difference(floats(there.arrays()[i]), floats(here.arrays()[i])) < 0.1);
  }
}

TEST_CASE("cuda session: what the fast plan takes of a device's memory is said and planned") {
  Fakes fakes({kFaster});
  const ChineseClipConfig config = tiny_config();
  auto model = load(config, Precision::bf16, Plan::fast);
  const int64_t bytes = Session::scratch_bytes(*model, {.device = fast_device()});
  CHECK(fakes.driver_in_use.nothing_left());
  {
    Session exact(load(config, Precision::bf16), {.device = fake_device()}), fast(model, {.device = fast_device()});
    CHECK(fast.scratch_bytes() == bytes);
    CHECK(bytes == exact.scratch_bytes() + (int64_t{32} << 20));
    int64_t plain = 0;  // that are in whole strips already
    model->for_each_linear([&](const Linear& w) {
      plain += w.weights.n() * round_up(w.weights.k(), int64_t{32}) * 2 + w.bias.size() / 2;
    });
    const int64_t patches = config.vision.hidden_size * round_up(int64_t{3 * 4 * 4}, int64_t{32}) * 2;
    CHECK(fast.device_weight_bytes() == exact.device_weight_bytes() + plain + patches);
    expect_error(
        ErrorCode::limit_exceeded, [&] { Session(model, {.memory_budget = bytes - 1, .device = fast_device()}); },
        "memory budget", std::to_string(bytes));
  }
  model.reset();
  CHECK(fakes.driver_in_use.nothing_left());
  CHECK(fakes.library.nothing_left());
}

// Of single products test_product_choices.cpp has every call.
TEST_CASE("cuda session: whichever call of the library fails, the fast plan goes on and nothing leaks") {
  const ChineseClipConfig config = tiny_config();
  const Inputs in(config);
  std::vector<float> expected;
  int calls = 0;
  for (int n = 0; n == 0 || n <= calls; n += n < 3 ? 1 : 61) {
    CAPTURE(n);
    Fakes fakes({kFaster});
    fakes.library.fails_at = n;
    {
      const auto model = load(config, Precision::bf16, Plan::fast);
      Session session(model, {.device = fast_device()});
      const std::vector<float> found = encode_all(session, in);
      if (n == 0) expected = found, calls = fakes.library.calls;
      CHECK(largest_difference(found, expected) <= 0.02);
      CHECK(session.product_library() == (n == 1 ? "none: cuBLASLt 13.1.0: not supported" : "cuBLASLt 13.1.0"));
    }
    REQUIRE(fakes.library.nothing_left());
    REQUIRE(fakes.driver_in_use.nothing_left());
  }
  CHECK(calls > 300);
}

TEST_CASE("cuda session: whichever call of the driver fails in the fast plan, there is one error and nothing leaks") {
  const ChineseClipConfig config = tiny_config();
  const Inputs in(config);
  std::vector<float> expected;
  int calls = 0;
  for (int n = 0; n == 0 || n <= calls; n += n < 3 ? 1 : 37) {
    CAPTURE(n);
    Fakes fakes({kFaster});
    fakes.driver_in_use.fails_at = n;
    {
      const auto model = load(config, Precision::f16, Plan::fast);
      try {
        Session session(model, {.device = fast_device()});
        const std::vector<float> found = encode_all(session, in);
        if (n == 0) expected = found, calls = fakes.driver_in_use.calls;
        CHECK(largest_difference(found, expected) <= 2e-3);
      } catch (const Error& e) {
        REQUIRE(n > 0);
        REQUIRE(e.code() == ErrorCode::internal);
        REQUIRE(e.detail().found == kFake.describe(kLost));
      }
      fakes.driver_in_use.fails_at = 0;
      if (n % 2 == 0) {
        Session session(model, {.device = fast_device()});
        REQUIRE(largest_difference(encode_all(session, in), expected) <= 2e-3);
      }
    }
    REQUIRE(fakes.library.nothing_left());
    REQUIRE(fakes.driver_in_use.nothing_left());
  }
  CHECK(calls > 300);
}

}  // namespace tw::test
