// Products by a device's library: what it is told, who is chosen, and what happens where it fails. Over a fake one
// (fake_blaslt.h).
#include <cmath>

#include "core/error.h"
#include "kernels/product_choices.h"
#include "tests/cuda/fake_blaslt.h"
#include "tests/cuda/product_cases.h"
#include "tests/support/packed.h"

namespace tw::test {
namespace {

using Fault = FakeWay::Fault;
using Ways = std::vector<FakeWay>;

// y = f(x W^T + bias) or y + x W^T + bias, of numbers that the types hold, in memory of the host.
struct Case {
  DType type, y_type;
  Activation activation = Activation::linear;
  bool add = false, bias = true;
  int64_t rows = 37, columns = 50, k = 70;
};

struct Problem {
  explicit Problem(const Case& what)
      : c(what), depth(depth_of(c.type, c.k)), x_stride(depth + 36), y_stride(c.columns + 3) {
    Random random(1);
    const auto held = [&](std::vector<float> values, DType type) {
      for (float& v : values) {
        if (type == DType::bf16) v = bf16_to_f32(f32_to_bf16(v));
        if (type == DType::f16) v = f16_to_f32(f32_to_f16(v));
      }
      return values;
    };
    x = held(random.normal_vector(c.rows * c.k), c.type);
    w = held(random.normal_vector(c.columns * c.k), c.type);
    bias = Buffer(c.columns * 4, "a bias");
    narrow_bias = Buffer(c.columns * 2, "a bias");
    for (int64_t i = 0; i < c.columns; ++i) {
      const auto b = bias.as<float>()[i] = static_cast<float>(random.normal());
      put(narrow_bias.as<uint8_t>(), c.type, i, b);
    }
    old = held(random.normal_vector(c.rows * c.columns), c.y_type);
    x_rows = Buffer(c.rows * x_stride * 2, "rows");
    std::memset(x_rows.data(), 0xff, static_cast<size_t>(x_rows.size()));
    for (int64_t i = 0; i < c.rows * depth; ++i) x_rows.as<uint16_t>()[i / depth * x_stride + i % depth] = 0;
    for (int64_t i = 0; i < c.rows * c.k; ++i)
      put(x_rows.as<uint8_t>(), c.type, i / c.k * x_stride + i % c.k, x[static_cast<size_t>(i)]);
    PackedMatrix strips = packed_weights(w, c.columns, c.k, c.type);
    rows = strips.as_rows();
    packed = std::move(strips);
    place(y_stride);
  }
  // Results so far apart, and 0x7F between them.
  void place(int64_t stride) {
    y_stride = stride;
    y = Buffer(c.rows * y_stride * size_of(c.y_type), "results");
    std::memset(y.data(), 0x7F, static_cast<size_t>(y.size()));
    restore();
  }
  void restore() {
    for (int64_t i = 0; i < c.rows * c.columns; ++i)
      put(y.as<uint8_t>(), c.y_type, i / c.columns * y_stride + i % c.columns,
          c.add ? old[static_cast<size_t>(i)] : NAN);
  }

  LinearNarrowArgs args() {
    return {.type = c.type,
            .x = x_rows.data(),
            .x_stride = x_stride,
            .weights = packed.strip_at(0),
            .scale = nullptr,
            .bias = c.bias ? bias.as<float>() : nullptr,
            .y = y.data(),
            .y_type = c.y_type,
            .y_factor = 1.0f,
            .y_stride = y_stride,
            .rows = c.rows,
            .columns = c.columns,
            .k = depth,
            .activation = c.activation,
            .add_to_output = c.add};
  }
  PlainWeights plain() const { return {rows.strip_at(0), c.bias ? narrow_bias.data() : nullptr}; }

  double found(int64_t m, int64_t n) const {
    const int type = c.y_type == DType::f32 ? blaslt::kF32 : c.y_type == DType::f16 ? blaslt::kF16 : blaslt::kBf16;
    return blaslt_semantics::read(type, y.data(), m * y_stride + n);
  }
  double expected(int64_t m, int64_t n) const {
    double sum = 0;
    for (int64_t i = 0; i < c.k; ++i)
      sum += static_cast<double>(x[static_cast<size_t>(m * c.k + i)]) *
             static_cast<double>(w[static_cast<size_t>(n * c.k + i)]);
    if (c.bias) sum += static_cast<double>(bias.as<float>()[n]);
    if (c.add) sum += static_cast<double>(old[static_cast<size_t>(m * c.columns + n)]);
    if (c.activation == Activation::gelu) sum *= 0.5 * std::erfc(-std::sqrt(0.5) * sum);
    if (c.activation == Activation::quick_gelu) sum /= 1 + std::exp(-1.702 * sum);
    return sum;
  }
  // The largest error by what roundings permit, and whether nothing was written beside y.
  double worst() const {
    const double unit = c.y_type == DType::f32 ? 0x1p-20 : c.y_type == DType::f16 ? 0x1p-12 : 0x1p-9;
    double most = 0;
    for (int64_t m = 0; m < c.rows; ++m) {
      for (int64_t n = 0; n < c.columns; ++n) {
        const double e = expected(m, n), d = std::abs(found(m, n) - e);
        most = std::max(most, std::isnan(d) ? HUGE_VAL : d / (unit * (4 * std::abs(e) + 8)));
      }
      const uint8_t* end = y.as<uint8_t>() + (m * y_stride + c.columns) * size_of(c.y_type);
      CHECK(std::all_of(end, end + 3 * size_of(c.y_type), [](uint8_t byte) { return byte == 0x7F; }));
    }
    return most;
  }

  Case c;
  int64_t depth, x_stride, y_stride;
  std::vector<float> x, w, old;
  PackedMatrix packed, rows;
  Buffer x_rows, bias, narrow_bias, y;  // at the beginnings of pages
};

// A driver, a library and a stream, with choices over them.
struct Fixture {
  explicit Fixture(Ways ways) {
    driver = &fake;
    fake_blaslt = &library;
    library.ways = std::move(ways);
    choices.emplace(with_library(fake_device()));
    queue.emplace(kFake);
    workspace = Buffer::on_device(kFake, BlasLtProduct::kWorkspace, "workspace");
  }
  ~Fixture() {
    CHECK(fake.memory.size() == 1);
    CHECK(fake.marks.empty());
    choices.reset();
    CHECK(library.nothing_left());
  }
  // As ops_device.cpp does; whether the library has computed it.
  bool multiply(Problem& p, bool may_try = true) {
    p.restore();
    const LinearNarrowArgs args = p.args();
    const bool by_library = choices->multiply({&*choices, workspace.data(), may_try}, queue->stream(), args, p.plain());
    if (!by_library) cuda_table().linear_narrow(queue->stream(), args);
    queue->wait();
    CHECK(p.worst() <= 1);
    return by_library;
  }
  int by(size_t way) const { return way < library.by.size() ? library.by[way] : 0; }

  Driver fake;
  FakeBlasLt library;
  std::optional<ProductChoices> choices;
  std::optional<DeviceQueue> queue;
  Buffer workspace;
};

}  // namespace

TEST_CASE("product choices: the library computes every type and epilogue, as float64 has it") {
  for (const DType type : {DType::bf16, DType::f16}) {
    for (const Case& c :
         {Case{type, type}, Case{type, type, Activation::gelu}, Case{type, type, Activation::quick_gelu},
          Case{type, DType::f32}, Case{type, DType::f32, Activation::linear, true},
          Case{type, DType::f32, Activation::linear, true, false}, Case{type, type, Activation::linear, false, false},
          Case{type, DType::f32, Activation::linear, false, false, 1, 17, 3},
          Case{type, type, Activation::gelu, false, true, 131, 16, 32}}) {
      CAPTURE(name(type), name(c.y_type), c.add, c.bias, c.rows, static_cast<int>(c.activation));
      Fixture f(Ways{{.milliseconds = 0.1}});
      Problem p(c);
      // With an activation there is one more kernel, so own ones have to take as long as that and the product.
      const bool two = c.activation != Activation::linear;
      CHECK(f.multiply(p) == !two);
      CHECK(f.library.asked == 1);
      CHECK(f.by(0) == (two ? 7 : 8));  // one to compare, one and five to time, the product
      CHECK(f.multiply(p) == !two);
      CHECK(f.library.asked == 1);
    }
  }
}

TEST_CASE("product choices: what a library has no activation for is computed in two steps where that is faster") {
  for (const DType type : {DType::bf16, DType::f16}) {
    Fixture f(Ways{{.milliseconds = -0.5}});  // with the activation's kernel 0.5
    Problem p({type, type, Activation::quick_gelu});
    CHECK(f.multiply(p));
    CHECK(f.by(0) == 8);
  }
}

TEST_CASE("product choices: the fastest of those that compute what the own kernel does") {
  const FakeWay fast = {.milliseconds = 0.2}, slow = {.milliseconds = 3}, middle = {.milliseconds = 0.6};
  for (const Case& c : {Case{DType::bf16, DType::bf16}, Case{DType::f16, DType::f32, Activation::linear, true}}) {
    CAPTURE(name(c.type));
    {
      Fixture f(Ways{slow, middle, fast, slow});
      Problem p(c);
      CHECK(f.multiply(p));
      CHECK(f.library.by == std::vector<int>{7, 7, 8, 7});
    }
    {
      Fixture f(Ways{slow});
      Problem p(c);
      CHECK_FALSE(f.multiply(p));
      CHECK_FALSE(f.multiply(p));
      CHECK(f.by(0) == 7);
    }
    for (const Fault fault :
         {Fault::first_k, Fault::last_column, Fault::last_row, Fault::bias, Fault::residual, Fault::all, Fault::nan}) {
      if (fault == Fault::residual && !c.add) continue;
      CAPTURE(static_cast<int>(fault));
      const FakeWay wrong = {.milliseconds = 0.01, .fault = fault};
      Problem p(c);
      {
        Fixture f(Ways{wrong, middle, wrong});
        CHECK(f.multiply(p));
        CHECK(f.library.by == std::vector<int>{1, 8, 1});
      }
      Fixture alone(Ways{wrong});
      CHECK_FALSE(alone.multiply(p));
    }
  }
  {
    Fixture f(Ways{middle, {.milliseconds = 0.2, .slow_at = 3}, middle});  // the first of those that count
    Problem p({DType::bf16, DType::bf16});
    CHECK(f.multiply(p));
    CHECK(f.by(1) == 8);
  }
  {
    // Refused by themselves, by the workspace, when they are to compute; and more than eight are not asked for.
    std::vector<FakeWay> ways = {
        {.status = 15}, {.workspace = (size_t{32} << 20) + 1}, {.refuses = true}, middle, slow, slow, slow, slow, fast};
    Fixture f(ways);
    Problem p({DType::bf16, DType::bf16});
    CHECK(f.multiply(p));
    CHECK(f.library.by == std::vector<int>{0, 0, 0, 8, 7, 7, 7, 7, 0});
  }
}

TEST_CASE("product choices: rows near each other share a choice, where the library can compute both") {
  Fixture f(Ways{{.most_rows = 140}});
  const auto with = [](int64_t rows) { return Problem({.type = DType::bf16, .y_type = DType::f32, .rows = rows}); };
  Problem first = with(17), second = with(32), other = with(33), many = with(130), more = with(144), same = with(140);
  CHECK(f.multiply(first));
  CHECK(f.multiply(second));
  CHECK(f.library.asked == 1);
  CHECK(f.multiply(other));
  CHECK(f.library.asked == 2);
  CHECK(f.multiply(many));
  CHECK(f.library.asked == 3);
  CHECK_FALSE(f.multiply(more));
  CHECK(f.multiply(same));
  CHECK(f.library.asked == 3);
  // Anything else is another product.
  Problem wider = with(17), misaligned = with(18);
  wider.place(wider.y_stride + 1);
  CHECK(f.multiply(wider));
  CHECK(f.library.asked == 4);
  LinearNarrowArgs args = misaligned.args();
  args.rows -= 1;
  args.x = misaligned.x_rows.as<uint16_t>() + misaligned.x_stride;
  const auto multiply = [&] {
    CHECK(f.choices->multiply({&*f.choices, f.workspace.data(), true}, f.queue->stream(), args, misaligned.plain()));
    f.queue->wait();
  };
  multiply();
  CHECK(f.library.asked == 5);
  CHECK(misaligned.found(16, 3) == Approx(misaligned.expected(17, 3)));
  args.y = misaligned.y.as<float>() + misaligned.y_stride;
  multiply();
  CHECK(f.library.asked == 6);
  CHECK(misaligned.found(17, 3) == Approx(misaligned.expected(17, 3)));
}

TEST_CASE("product choices: what was not there before is not tried where that may not be, nor against no numbers") {
  Fixture f(Ways{FakeWay{}});
  Problem p({DType::bf16, DType::bf16});
  CHECK_FALSE(f.multiply(p, false));
  CHECK(f.library.asked == 0);
  auto& number = p.x_rows.as<uint16_t>()[3];
  const uint16_t good = std::exchange(number, f32_to_bf16(NAN));
  const LinearNarrowArgs args = p.args();
  CHECK_FALSE(f.choices->multiply({&*f.choices, f.workspace.data(), true}, f.queue->stream(), args, p.plain()));
  CHECK(f.library.asked == 1);
  f.queue->wait();
  number = good;
  CHECK(f.multiply(p));
  CHECK(f.library.asked == 2);
  CHECK(f.multiply(p, false));
  CHECK(f.library.asked == 2);
}

TEST_CASE("product choices: products that the library does not take are not put to it") {
  Fixture f(Ways{FakeWay{}});
  Problem p({DType::bf16, DType::f32});
  const ProductLane lane{&*f.choices, f.workspace.data(), true};
  const auto refuses = [&](auto change, PlainWeights plain) {
    LinearNarrowArgs args = p.args();
    change(args);
    CHECK_FALSE(f.choices->multiply(lane, f.queue->stream(), args, plain));
  };
  refuses([](LinearNarrowArgs&) {}, {});
  refuses([](LinearNarrowArgs& a) { a.rows = 0; }, p.plain());
  refuses([](LinearNarrowArgs& a) { a.type = DType::e4m3; }, p.plain());
  refuses([&](LinearNarrowArgs& a) { a.scale = p.bias.as<float>(); }, p.plain());
  refuses([](LinearNarrowArgs& a) { a.activation = Activation::gelu; }, p.plain());
  refuses([](LinearNarrowArgs& a) { a.y_type = DType::f16; }, p.plain());
  CHECK(f.library.calls == 1);  // that opened it
}

TEST_CASE("product choices: whichever call of the library fails, the product is computed and nothing is left") {
  Problem p({.type = DType::bf16, .y_type = DType::bf16, .rows = 5, .columns = 17, .k = 20});
  const auto twice = [&](int fails_at) {
    Fixture f(Ways{FakeWay{}, FakeWay{}});
    const int before = f.library.calls;
    f.library.fails_at = fails_at == 0 ? 0 : before + fails_at;
    f.multiply(p);
    const bool by_library = f.multiply(p);
    const int asked = f.library.asked;
    f.library.fails_at = 0;
    const int calls = f.library.calls - before;
    CHECK(f.multiply(p) >= by_library);
    CHECK(f.library.asked == asked);  // once chosen, chosen
    return calls;
  };
  const int calls = twice(0);
  REQUIRE(calls > 30);
  for (int n = 1; n <= calls; ++n) {
    CAPTURE(n);
    twice(n);
  }
}

TEST_CASE("product choices: whichever call of the driver fails in a trial, there is one error or the own kernel") {
  Problem p({.type = DType::bf16, .y_type = DType::f32, .add = true, .rows = 5, .columns = 17, .k = 20});
  int calls = 0;
  {
    Fixture f(Ways{FakeWay{}});
    const int before = f.fake.calls;
    CHECK(f.multiply(p));
    calls = f.fake.calls - before;
  }
  REQUIRE(calls > 20);
  int errors = 0;
  for (int n = 1; n <= calls; ++n) {
    CAPTURE(n);
    Fixture f(Ways{FakeWay{}});
    f.fake.fails_at = f.fake.calls + n;
    try {
      f.multiply(p);
    } catch (const Error& e) {
      ++errors;
      CHECK(e.detail().found == kFake.describe(kLost));
    }
    f.fake.fails_at = 0;
    f.multiply(p);
  }
  CHECK(errors == 2);  // the wait for what was there before, and the test's own for the product
}

TEST_CASE("product choices: a library that is missing, or does not open, is said") {
  Driver fake;
  driver = &fake;
  FakeBlasLt library;
  fake_blaslt = &library;
  Problem p({DType::bf16, DType::bf16});
  const auto closed = [&](const BlasLtLibrary& (*which)(), const std::string& text) {
    ProductChoices choices(with_library(fake_device(), which));
    CHECK_FALSE(choices.open());
    CHECK(choices.text() == text);
    CHECK_FALSE(choices.multiply({&choices, nullptr, true}, nullptr, p.args(), p.plain()));
  };
  closed(missing_library, "no libcublasLt.so.13");
  library.fails_at = 1;
  closed(fake_library, "cuBLASLt 13.1.0: not supported");
  CHECK(library.nothing_left());
}

}  // namespace tw::test
