// Products by the cuBLASLt that is there, and the fast plan with it.
#include <algorithm>

#include "tests/cuda/product_cases.h"
#include "tests/cuda/tower_cases.h"
#include "tests/cuda/under_test.h"
#include "tests/support/packed.h"

namespace tw::test {
namespace {

constexpr int64_t kRows = 197, kColumns = 400, kDepth = 320;

template <class T>
Buffer on_card(const DeviceApi& api, DeviceQueue& queue, const T* from, int64_t bytes) {
  Buffer to = Buffer::on_device(api, bytes, "a test");
  queue.copy(to.data(), from, bytes);
  queue.wait();
  return to;
}

}  // namespace

// Candidates one by one, so that what the fast plan would leave out because it is wrong or slow shows.
TEST_CASE("card library: every candidate for every type and epilogue has the own kernel's integers") {
  const Device card = device_under_test();
  if (!card.blaslt().api) {
    WARN(card.blaslt().text);
    return;
  }
  const DeviceApi& api = *card.handle.api;
  const DeviceScope scope(card.handle);
  DeviceQueue queue(api);
  OpenBlasLt library{*card.blaslt().api, nullptr};
  REQUIRE(library.api.create(&library.handle) == 0);
  {
    const Buffer workspace = Buffer::on_device(api, BlasLtProduct::kWorkspace, "workspace");
    Random random(21);
    const std::vector<float> x = random.integer_vector(kRows * kDepth), w = random.integer_vector(kColumns * kDepth),
                             bias = random.integer_vector(kColumns), old = random.integer_vector(kRows * kColumns);
    for (const DType type : {DType::bf16, DType::f16}) {
      const auto narrow = [&](const std::vector<float>& from) {
        std::vector<uint8_t> bytes(from.size() * 2);
        for (size_t i = 0; i < from.size(); ++i) put(bytes.data(), type, static_cast<int64_t>(i), from[i]);
        return on_card(api, queue, bytes.data(), std::ssize(bytes));
      };
      const PackedMatrix strips = packed_weights(w, kColumns, kDepth, type), plain = strips.as_rows(),
                         own = card.table->weights_in_tiles ? strips.as_tiles() : strips.moved_to({});
      const Buffer& packed = card.table->weights_in_tiles ? own.memory() : strips.memory();
      const Buffer xs = narrow(x), narrow_bias = narrow(bias),
                   f32_bias = on_card(api, queue, bias.data(), kColumns * 4),
                   weights = on_card(api, queue, packed.data(), packed.size()),
                   rows = on_card(api, queue, plain.memory().data(), plain.bytes());
      for (const bool f32 : {false, true}) {
        for (const bool add : {false, true}) {
          for (const bool with_bias : {false, true}) {
            if (add && !f32) continue;
            const DType y_type = f32 ? DType::f32 : type;
            Buffer y = Buffer::on_device(api, kRows * kColumns * size_of(y_type), "a test");
            LinearNarrowArgs p =
                plain_product(type, reinterpret_cast<const uint8_t*>(xs.data()), {}, nullptr, kRows, kColumns, kDepth);
            p.weights = weights.data(), p.y = y.data(), p.y_type = y_type, p.add_to_output = add;
            p.bias = with_bias ? f32_bias.as<float>() : nullptr;
            const PlainWeights given{rows.data(), with_bias ? narrow_bias.data() : nullptr};
            const auto result = [&](auto compute) {
              std::vector<uint8_t> bytes(static_cast<size_t>(y.size()), 0);
              if (add) std::memcpy(bytes.data(), old.data(), bytes.size());
              queue.copy(y.data(), bytes.data(), y.size());
              queue.wait();
              compute();
              queue.copy(bytes.data(), y.data(), y.size());
              queue.wait();
              return bytes;
            };
            const std::vector<uint8_t> expected = result([&] { card.table->linear_narrow(queue.stream(), p); });
            const BlasLtProduct product(library, p, given);
            blaslt::Candidate candidates[8] = {};
            const int count = product.candidates(candidates);
            CAPTURE(name(type), f32, add, with_bias, count);
            CHECK(count > 0);
            for (int i = 0; i < count; ++i) {
              CAPTURE(i);
              CHECK(product.can(candidates[i].algorithm));
              CHECK(result([&] {
                      CHECK(product.run(candidates[i].algorithm, y.data(), const_cast<std::byte*>(workspace.data()),
                                        *card.table, queue.stream()));
                    }) == expected);
            }
          }
        }
      }
    }
  }
  library.api.destroy(library.handle);
}

TEST_CASE("card library: both towers by the fast plan are near the exact plan's, again and again") {
  const Device card = device_under_test();
  const ChineseClipConfig config = small_awkward_config();
  const Inputs in(config);
  for (const Precision precision : {Precision::bf16, Precision::f16}) {
    Session exact(load(config, precision), {.device = card}),
        fast(load(config, precision, Plan::fast), {.device = card});
    INFO(fast.product_library());
    const std::vector<float> expected = encode_all(exact, in), found = encode_all(fast, in);
    const double permitted = precision == Precision::bf16 ? 0.02 : 2e-3;
    CHECK(largest_difference(found, expected) <= permitted);
    for (int times = 0; times < 3; ++times) CHECK(encode_all(fast, in) == found);
    report(precision == Precision::bf16 ? "fast plan in bf16" : "fast plan in f16",
           largest_difference(found, expected) / permitted);
  }
}

}  // namespace tw::test
