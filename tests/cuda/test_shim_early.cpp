// What the host shim does with launches that begin early, and that every operation waits for those in front of it.
#include <catch2/catch.hpp>
#include <cstddef>
#include <numeric>
#include <vector>

#include "kernels/check/check.h"
#include "models/session.h"
#include "tests/cuda/fake_cuda.h"
#include "tests/cuda/forward_cases.h"
#include "tests/cuda/kernels_under_test.h"
#include "tests/cuda/product_cases.h"
#include "tests/cuda/shim.h"
#include "tests/cuda/tower_cases.h"
#include "tests/support/packed.h"

namespace tw::test {
namespace {

using cuda::after_earlier_kernels;
using cuda::copies_commit;
using cuda::copies_wait;
using cuda::copy_async;
using cuda::launch;
using cuda::thread_x;

constexpr int kThreads = 64;
constexpr cuda::Geometry kTwoBlocks{.blocks_x = 2, .threads = kThreads};

int element() { return static_cast<int>(blockIdx.x) * kThreads + thread_x(); }

void write(float* y, float v) {
  after_earlier_kernels();
  y[element()] = v;
}
void copy(float* y, const float* x) {
  after_earlier_kernels();
  y[element()] = x[element()];
}
void copy_too_early(float* y, const float* x) {
  const float v = x[element()];
  after_earlier_kernels();
  y[element()] = v;
}
void write_too_early(float* y, const float*) {
  y[element()] = 7;
  after_earlier_kernels();
}
void copy_by_shared_memory(float* y, const float* x) {
  TUWEN_SHARED(float, shared, kThreads);
  copy_async<4>(shared + thread_x(), x + element(), 4);
  copies_commit();
  after_earlier_kernels();
  copies_wait<0>();
  after_earlier_kernels();  // nothing more to wait for
  y[element()] = shared[thread_x()];
}

// A stream of the fake driver, and two arrays of zeros.
class OneStream {
 public:
  OneStream() {
    driver = &fake;
    leave_kernels_to_driver();
    kFake.create_stream(&stream_);
  }
  ~OneStream() { kFake.destroy_stream(stream_); }

  // What `second` makes of x in y, where it begins before `first` has written x.
  std::vector<float> after_write(void (*second)(float*, const float*), bool early = true) {
    launch(kTwoBlocks, stream_, write, x.data(), 1.0f);
    launch(kTwoBlocks, {stream_, early}, second, y.data(), static_cast<const float*>(x.data()));
    kFake.wait(stream_);
    return y;
  }
  cuda::Stream early() const { return {stream_, true}; }
  void wait() { kFake.wait(stream_); }

  Driver fake;
  std::vector<float> x = std::vector<float>(2 * kThreads), y = x;

 private:
  void* stream_ = nullptr;
};

const std::vector<float> kOnes(2 * kThreads, 1.0f);

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const shim::BlockError& error) {
    return error.what();
  }
  return "";
}
auto mentions(const std::string& text) { return Catch::Matchers::Contains(text); }

// Operations on arrays that the kernel in front of theirs is to write, all but weights.
class WrittenInFront {
 public:
  WrittenInFront() {
    driver = &fake;
    fake.kernels_copy = true;
    set_memory_under_test(fake_device().handle, true);
  }
  ~WrittenInFront() { set_memory_under_test({}); }

  Driver fake;
};

}  // namespace

TEST_CASE("shim: a launch that begins early reads what the one in front of it writes, if it waits for it") {
  in_every_order([] {
    CHECK(OneStream().after_write(copy) == kOnes);
    CHECK(OneStream().after_write(copy_too_early, false) == kOnes);
    OneStream early;
    const std::vector<float> found = early.after_write(copy_too_early);
    CHECK(std::accumulate(found.begin(), found.end(), 0.0f) == kThreads);  // one of two blocks began early
    CHECK(early.fake.early == 1);
  });
}

TEST_CASE("shim: each launch begins while the one in front of it has not run, however many there are") {
  in_every_order([] {
    OneStream s;
    const cuda::Stream early = s.early();
    for (float v = 1; v < 5; ++v) {
      launch(kTwoBlocks, early, write, s.x.data(), v);
      launch(kTwoBlocks, early, copy, s.y.data(), static_cast<const float*>(s.x.data()));
    }
    s.wait();
    CHECK(s.y == std::vector<float>(2 * kThreads, 4.0f));
    CHECK(s.fake.early == 7);
    // The array that the first of three reads is written by the third.
    launch(kTwoBlocks, early, copy, s.y.data(), static_cast<const float*>(s.x.data()));
    launch(kTwoBlocks, early, write_too_early, s.x.data(), static_cast<const float*>(s.x.data()));
    s.wait();
    CHECK(s.y != std::vector<float>(2 * kThreads, 4.0f));
  });
}

TEST_CASE("shim: asynchronous copies may begin early from what nobody writes, and from nothing else") {
  {
    OneStream ones_already;
    ones_already.x = kOnes;
    CHECK(ones_already.after_write(copy_by_shared_memory) == kOnes);
  }
  CHECK_THAT(error_of([] { OneStream().after_write(copy_by_shared_memory); }), mentions("has copied what an earlier"));
}

TEST_CASE("shim: a thread that ends without waiting for earlier launches") {
  const auto run = [](auto kernel) { return error_of([=] { launch(kTwoBlocks, nullptr, +kernel, 0); }); };
  CHECK(run([](int) { after_earlier_kernels(); }) == "");
  CHECK_THAT(run([](int) {
               if (element() == 70) return;
               after_earlier_kernels();
             }),
             mentions("thread (6, 0, 0) of block (1, 0, 0) ended without waiting"));
  CHECK_THAT(run([](int) {}), mentions("thread (0, 0, 0) of block (0, 0, 0) ended without waiting"));
}

TEST_CASE("shim: nothing begins before a copy, another stream or what is in front of a recording") {
  OneStream s;
  void* other = nullptr;
  kFake.create_stream(&other);
  const std::vector<float> fives(2 * kThreads, 5.0f);
  const auto copy_y = [&] { launch(kTwoBlocks, s.early(), copy_too_early, s.y.data(), std::as_const(s.x).data()); };
  launch(kTwoBlocks, s.early(), write, s.x.data(), 1.0f);
  kFake.copy(s.x.data(), fives.data(), 2 * kThreads * 4, s.early().stream);
  copy_y();
  s.wait();
  CHECK(s.y == fives);
  launch(kTwoBlocks, other, write, s.x.data(), 1.0f);
  kFake.follow(s.early().stream, other);
  copy_y();
  s.wait();
  CHECK(s.y == kOnes);
  void* recording = nullptr;
  kFake.begin_recording(s.early().stream);
  copy_y();
  kFake.end_recording(s.early().stream, &recording);
  launch(kTwoBlocks, s.early(), write, s.x.data(), 5.0f);
  kFake.launch(recording, s.early().stream);
  s.wait();
  CHECK(s.y == fives);
  CHECK(s.fake.early == 0);
  kFake.release_recording(recording);
  kFake.destroy_stream(other);
}

TEST_CASE("cuda: every operation waits for the kernel that writes what it reads, and writes nothing before") {
  in_every_order([] {
    WrittenInFront arrays;
    for (const CheckResult& result : check_table(kernels_under_test(), 4)) {
      INFO(result.name << ": " << result.detail);
      CHECK(result.passed);
    }
    CHECK(arrays.fake.early > 500);
  });
}

TEST_CASE("cuda: products by warpgroups fetch weights before, and nothing else") {
  Random random(6);
  const int64_t rows = 70, columns = 140, k = 600;
  const std::vector<float> x = random.normal_vector(rows * k), w = random.normal_vector(columns * k);
  const PackedMatrix tiles = packed_weights(w, columns, k, DType::bf16).as_tiles();
  const auto* first = tiles.memory().as<uint8_t>();
  const std::vector<uint8_t> weights(first, first + tiles.bytes());
  const int64_t depth = depth_of(DType::bf16, k);
  const Guarded<uint8_t> xs = rounded(DType::bf16, x, rows, k, depth);
  const auto product = [&](int tile) {
    std::vector<float> y(static_cast<size_t>(rows * columns), NAN);
    linear_sm90_in_tiles(plain_product(DType::bf16, xs.data(), weights, y.data(), rows, columns, depth), tile);
    return y;
  };
  const std::vector<float> expected = product(cuda::kLowTile);
  in_every_order([&] {
    WrittenInFront arrays;
    CHECK(product(cuda::kLowTile) == expected);
    CHECK(product(cuda::kTallTile) == expected);
    CHECK(arrays.fake.early == 2);
  });
}

TEST_CASE("cuda: rows that move wait for the kernel that writes them") {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  WrittenInFront arrays;
  std::vector<uint16_t> halves(6);
  convert_to_f16({x.data(), halves.data(), 6});
  CHECK(halves[5] == f32_to_f16(6));
  std::vector<float> y(4);
  const std::vector<int64_t> rows = {2, 0};
  gather_rows({.x_type = DType::f32,
               .x = x.data(),
               .x_stride = 2,
               .rows = rows.data(),
               .y_type = DType::f32,
               .y_factor = 1.0f,
               .y = y.data(),
               .y_stride = 2,
               .count = 2,
               .columns = 2},
              3);
  CHECK(y == std::vector<float>{5, 6, 1, 2});
  clear({y.data(), 8, 2, 4});
  CHECK(y == std::vector<float>{0, 6, 0, 2});
  store_heads({{y.data(), nullptr, 1, 2, 2, 0}, x.data(), 2, 1});
  CHECK(y == std::vector<float>{1, 3, 2, 4});
  CHECK(arrays.fake.early == 4);
}

TEST_CASE("cuda: both passes of a resize wait for the kernel that writes what they read") {
  struct {
    uint8_t picture[4] = {10, 20, 30, 0};
    ResizeWindow window = {0, 1, 0, 0, 0, 0};
    int32_t weight = 1 << 22;
  } staged;
  const ResizeAxisAt axis{offsetof(decltype(staged), window), offsetof(decltype(staged), weight)};
  const ResizePicture picture{0, 1, 1, axis, axis, 0, 0, 1, 1, 0, false};
  WrittenInFront arrays;
  uint8_t between[3] = {}, result[3] = {};
  resize({reinterpret_cast<const std::byte*>(&staged), &picture, 1, between, 3, result, 1}, sizeof(staged), 3);
  CHECK(std::vector(result, result + 3) == std::vector<uint8_t>{10, 20, 30});
  CHECK(arrays.fake.early == 2);
}

TEST_CASE("cuda session: kernels that begin early on a device of sm_90a compute the same bits") {
  Driver fake;
  driver = &fake;
  const ChineseClipConfig config = tiny_config();
  const Inputs in(config);
  for (const Precision precision : {Precision::bf16, Precision::f16, Precision::fp8}) {
    const auto model = load(config, precision);
    Session in_turn(model, {.device = fake_device_sm90()}),
        early(model, {.device = fake_device_sm90(KernelsBegin::early)});
    const std::vector<float> expected = encode_all(in_turn, in);
    in_every_order([&] {
      const int kernels = fake.kernels, began_early = fake.early;
      CHECK(encode_all(early, in) == expected);
      CHECK(fake.early - began_early == fake.kernels - kernels - 3);  // all but the first of each of three slices
    });
  }
}

TEST_CASE("cuda forward: kernels that begin early give what others give") {
  Driver fake;
  driver = &fake;
  const auto model = random_model(kDecoder);
  Random random(8);
  const DecoderCall call(random);
  in_every_order([&] {
    Session early(model, {.device = fake_device(KernelsBegin::early)}), cpu(model, {});
    check_same(early.forward(call.text), cpu.forward(call.text), 17);
  });
  CHECK(fake.early > 30);
}

}  // namespace tw::test
