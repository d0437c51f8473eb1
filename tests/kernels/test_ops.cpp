// The collective operations: any number of members gives the bits of one, and what they compute is what the kernels
// compute on the right slices.
#include "kernels/ops.h"

#include <atomic>

#include "core/buffer.h"
#include "core/checked_math.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/members.h"

namespace tw::test {
namespace {

// run(exec, output) on every table and team; the result must be `expected(table)`, bit for bit.
template <class Make, class Run, class Expected>
void check(int64_t scratch_floats, Make make, Run run, Expected expected) {
  for_each_table([&](const KernelTable& table) {
    const std::vector<float> wanted = expected(table);
    for (const int members : kTeams) {
      CAPTURE(members);
      Output out = make();
      on_members(table, members, scratch_floats, [&](Exec& exec) { run(exec, out.tensor); });
      CHECK(out.memory.damage() == "");
      CHECK(first_difference(out.memory.values(), wanted) == -1);
    }
  });
}

Buffer buffer_of(std::span<const float> values) {
  Buffer buffer(static_cast<int64_t>(values.size_bytes()), "test");
  std::ranges::copy(values, buffer.as<float>());
  return buffer;
}

// The kernel called once on everything.
std::vector<float> whole_product(const KernelTable& table, const Linear& w, Output& x, std::span<const float> old,
                                 Activation activation, bool add) {
  const int64_t n = w.weights.n();
  std::vector<float> y(old.begin(), old.end());
  table.linear({.x = x.tensor.f32(),
                .x_stride = x.tensor.stride,
                .weights = w.weights.f32_strip_at(0),
                .bias = w.bias.size() == 0 ? nullptr : w.bias.as<float>(),
                .y = y.data(),
                .y_stride = n,
                .rows = x.tensor.rows,
                .columns = n,
                .k = w.weights.k(),
                .activation = activation,
                .add_to_output = add});
  return y;
}

}  // namespace

TEST_CASE("ops: linear has the bits of one kernel call, however many members share it") {
  Random random(1);
  for (const int64_t rows : {0, 1, 5, 23, 24, 97, 150}) {
    for (const int64_t n : {1, 17, 64, 65, 200}) {
      const int64_t k = 37;
      const Linear w = make_linear(n, k, rows % 2 == 0, random);
      Output x(rows, k, random.normal_vector(rows * k), layout_number(rows));
      x.memory.freeze();
      const std::vector<float> old = random.normal_vector(rows * n);
      CAPTURE(rows, n);
      check(
          0, [&] { return Output(rows, n, layout_number(n)); }, [&](Exec& ex, Tensor y) { linear(ex, y, x.tensor, w); },
          [&](const KernelTable& t) { return whole_product(t, w, x, old, Activation::linear, false); });
      check(
          0, [&] { return Output(rows, n, layout_number(n)); },
          [&](Exec& ex, Tensor y) { linear(ex, y, x.tensor, w, Activation::quick_gelu); },
          [&](const KernelTable& t) { return whole_product(t, w, x, old, Activation::quick_gelu, false); });
      check(
          0, [&] { return Output(rows, n, old, layout_number(n)); },
          [&](Exec& ex, Tensor y) { linear(ex, y, x.tensor, w, Epilogue::add_to_output); },
          [&](const KernelTable& t) { return whole_product(t, w, x, old, Activation::linear, true); });
    }
  }
}

TEST_CASE("ops: a range of a product's outputs") {
  Random random(2);
  const int64_t rows = 30, n = 150, k = 21;
  const Linear w = make_linear(n, k, true, random);
  Output x(rows, k, random.normal_vector(rows * k));
  const std::vector<float> old(static_cast<size_t>(rows * n));
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 150}, {16, 134}, {48, 64}, {144, 6}, {32, 1}}) {
    CAPTURE(first, count);
    check(
        0, [&, count = count] { return Output(rows, count, layout_number(2)); },
        [&, first = first, count = count](Exec& ex, Tensor y) { linear(ex, y, x.tensor, w.columns(first, count)); },
        [&, first = first, count = count](const KernelTable& t) {
          const std::vector<float> all = whole_product(t, w, x, old, Activation::linear, false);
          std::vector<float> some;
          for (int64_t r = 0; r < rows; ++r)
            some.insert(some.end(), all.begin() + r * n + first, all.begin() + r * n + first + count);
          return some;
        });
  }
}

TEST_CASE("ops: layer_norm and l2_normalize, row by row and in place") {
  Random random(3);
  for (const int64_t rows : {0, 1, 7, 8, 9, 50}) {
    const int64_t columns = 40;
    const std::vector<float> values = random.normal_vector(rows * columns);
    const LayerNorm norm{buffer_of(random.normal_vector(columns)), buffer_of(random.normal_vector(columns)), 1e-5f};
    Output x(rows, columns, values, layout_number(2));
    x.memory.freeze();
    const auto normed = [&](const KernelTable& t) {
      std::vector<float> y(values.size());
      for (int64_t r = 0; r < rows; ++r)
        t.layer_norm({x.memory.row(r), columns, norm.gamma.as<float>(), norm.beta.as<float>(), y.data() + r * columns,
                      columns, 1, columns, 1e-5f});
      return y;
    };
    const auto unit = [&](const KernelTable& t) {
      std::vector<float> y(values.size());
      for (int64_t r = 0; r < rows; ++r)
        t.l2_normalize({x.memory.row(r), columns, y.data() + r * columns, columns, 1, columns, Activation::linear});
      return y;
    };
    const auto fresh = [&] { return Output(rows, columns, layout_number(3)); };
    const auto filled = [&] { return Output(rows, columns, values, layout_number(3)); };
    CAPTURE(rows);
    check(
        0, fresh, [&](Exec& ex, Tensor y) { layer_norm(ex, y, x.tensor, norm); }, normed);
    check(
        0, filled, [&](Exec& ex, Tensor y) { layer_norm(ex, y, y, norm); }, normed);
    check(
        0, fresh, [&](Exec& ex, Tensor y) { l2_normalize(ex, y, x.tensor); }, unit);
    check(
        0, filled, [&](Exec& ex, Tensor y) { l2_normalize(ex, y, y); }, unit);
  }
}

TEST_CASE("ops: attention over sequences packed back to back, heads side by side") {
  Random random(4);
  const int64_t heads = 3;
  for (const int64_t width : {8, 24}) {
    for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{}, {1}, {5, 1, 33}, {60}, {2, 3, 4, 5, 6, 7}}) {
      // Every query row of an item sees all its keys; the last item's first query alone is asked for.
      std::vector<Sequence> sequences;
      int64_t queries = 0, keys = 0, longest = 1;
      for (size_t i = 0; i < lengths.size(); ++i) {
        const int64_t asked = i + 1 == lengths.size() && i > 0 ? 1 : lengths[i];
        sequences.push_back({queries, asked, keys, lengths[i]});
        queries += asked;
        keys += lengths[i];
        longest = std::max(longest, lengths[i]);
      }
      const int64_t columns = heads * width;
      Output q(queries, columns, random.normal_vector(queries * columns, 3.0), layout_number(2));
      Output k(keys, columns, random.normal_vector(keys * columns), layout_number(3));
      Output v(keys, columns, random.normal_vector(keys * columns), layout_number(1));
      const int64_t floats = attention_scratch_floats(longest, width, DType::f32);
      REQUIRE(floats >= attention_scratch(longest, width));
      CAPTURE(width, lengths.size());
      check(
          floats, [&] { return Output(queries, columns, layout_number(2)); },
          [&](Exec& ex, Tensor out) { attention(ex, out, q.tensor, k.tensor, v.tensor, sequences, heads); },
          [&](const KernelTable& t) {
            std::vector<float> out(static_cast<size_t>(queries * columns));
            Buffer scratch(floats * 4, "scratch");
            for (const Sequence& s : sequences) {
              for (int64_t h = 0; h < heads; ++h) {
                t.attention({.q = q.memory.row(s.first_query) + h * width,
                             .k = k.memory.row(s.first_key) + h * width,
                             .v = v.memory.row(s.first_key) + h * width,
                             .q_stride = q.tensor.stride,
                             .k_stride = k.tensor.stride,
                             .v_stride = v.tensor.stride,
                             .out = out.data() + s.first_query * columns + h * width,
                             .out_stride = columns,
                             .queries = s.queries,
                             .keys = s.keys,
                             .width = width,
                             .scale = 1.0f / std::sqrt(static_cast<float>(width)),
                             .scratch = scratch.as<float>()});
              }
            }
            return out;
          });
    }
  }
}

TEST_CASE("ops: gather_rows, embed, add_periodic") {
  Random random(5);
  for (const int64_t rows : {0, 1, 8, 9, 41}) {
    const int64_t columns = 19, words = 13;
    const std::vector<float> word = random.normal_vector(words * columns), type = random.normal_vector(2 * columns);
    const std::vector<float> position = random.normal_vector(words * columns);
    const std::vector<float> old = random.normal_vector(rows * columns);
    std::vector<int64_t> picks;
    std::vector<int32_t> ids, types, places;
    for (int64_t r = 0; r < rows; ++r) {
      picks.push_back(random.integer(0, words - 1));
      ids.push_back(static_cast<int32_t>(picks.back()));
      types.push_back(static_cast<int32_t>(random.integer(0, 1)));
      places.push_back(static_cast<int32_t>(random.integer(0, words - 1)));
    }
    Output source(words, columns, word, layout_number(2));
    std::vector<float> gathered, embedded, added = old;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        const auto at = static_cast<size_t>(r);
        const float w = word[static_cast<size_t>(picks[at] * columns + c)];
        gathered.push_back(w);
        const float sum = w + type[static_cast<size_t>(types[at] * columns + c)];
        embedded.push_back(sum + position[static_cast<size_t>(places[at] * columns + c)]);
        added[static_cast<size_t>(r * columns + c)] += position[static_cast<size_t>(r % 5 * columns + c)];
      }
    }
    const auto fresh = [&] { return Output(rows, columns, layout_number(3)); };
    CAPTURE(rows);
    check(
        0, fresh, [&](Exec& ex, Tensor y) { gather_rows(ex, y, source.tensor, picks); },
        [&](const KernelTable&) { return gathered; });
    check(
        0, fresh,
        [&](Exec& ex, Tensor y) {
          embed(ex, y, word.data(), type.data(), position.data(), ids.data(), types.data(), places.data());
        },
        [&](const KernelTable&) { return embedded; });
    check(
        0, [&] { return Output(rows, columns, old, layout_number(2)); },
        [&](Exec& ex, Tensor y) { add_periodic(ex, y, position.data(), 5); },
        [&](const KernelTable&) { return added; });
  }
}

TEST_CASE("ops: patches of a batch, a row of zeros in front of each item") {
  Random random(6);
  for (const bool u8 : {false, true}) {
    for (const int64_t items : {0, 1, 3}) {
      const int64_t height = 17, width = 22, channels = 3, patch = 4, per_item = height * width * channels;
      const int64_t grid = (height / patch) * (width / patch), columns = channels * patch * patch;
      const std::vector<float> floats = random.normal_vector(items * per_item), table = random.normal_vector(3 * 256);
      std::vector<uint8_t> bytes(floats.size());
      for (uint8_t& b : bytes) b = static_cast<uint8_t>(random.integer(0, 255));
      const void* pixels = u8 ? static_cast<const void*>(bytes.data()) : floats.data();
      CAPTURE(u8, items);
      check(
          0, [&] { return Output(items * (1 + grid), columns, layout_number(2)); },
          [&](Exec& ex, Tensor y) {
            patches(ex, y, items, {pixels, u8, table.data(), height, width, channels, patch});
          },
          [&](const KernelTable&) {
            std::vector<float> y;
            for (int64_t i = 0; i < items; ++i) {
              y.insert(y.end(), static_cast<size_t>(columns), 0.0f);
              for (int64_t p = 0; p < grid; ++p) {
                for (int64_t c = 0; c < columns; ++c) {
                  const int64_t channel = c / (patch * patch),
                                row = p / (width / patch) * patch + c % (patch * patch) / patch;
                  const int64_t column = p % (width / patch) * patch + c % patch;
                  const int64_t byte = i * per_item + (row * width + column) * 3 + channel;
                  const int64_t real = i * per_item + (channel * height + row) * width + column;
                  y.push_back(u8 ? table[static_cast<size_t>(channel * 256 + bytes[static_cast<size_t>(byte)])]
                                 : floats[static_cast<size_t>(real)]);
                }
              }
            }
            return y;
          });
    }
  }
}

TEST_CASE("ops: similarity") {
  Random random(7);
  for (const int64_t rows : {0, 1, 9}) {
    const int64_t columns = 13, k = 70;
    Output x(rows, k, random.normal_vector(rows * k), layout_number(2));
    Output z(columns, k, random.normal_vector(columns * k), layout_number(3));
    CAPTURE(rows);
    check(
        0, [&] { return Output(rows, columns, layout_number(2)); },
        [&](Exec& ex, Tensor y) { similarity(ex, y, x.tensor, z.tensor, 14.3f); },
        [&](const KernelTable& t) {
          std::vector<float> y(static_cast<size_t>(rows * columns));
          t.similarity({x.tensor.f32(), x.tensor.stride, z.tensor.f32(), z.tensor.stride, y.data(), columns, rows,
                        columns, k, 14.3f});
          return y;
        });
  }
}

TEST_CASE("ops: an eight-bit product quantises what it reads, once for two that follow each other") {
  Random random(9);
  const int64_t rows = 21, k = 70, n = 128;
  const auto eight_bits = [&](Linear& w) {
    const std::vector<float> smoothing = random.uniform_vector(k, 0.5, 2);
    w.int8 = PackedInt8(w.weights, smoothing.data());
  };
  Linear a = make_linear(n, k, true, random), b = make_linear(n, k, true, random);
  eight_bits(a), eight_bits(b);
  const LayerNorm norm{buffer_of(random.normal_vector(k)), buffer_of(random.normal_vector(k)), 1e-5f};
  const std::vector<float> start = random.normal_vector(rows * k);
  std::vector<uint8_t> bytes(static_cast<size_t>(rows * quantized_stride(k)));
  std::vector<float> scales(rows);
  std::vector<int32_t> zeros(rows);
  // In a region of its own nothing is there already.
  const auto run = [&](const KernelTable& table, int members, auto body) {
    on_members(table, members, 0, [&](Exec& ex) {
      ex.quantized = bytes.data(), ex.quantized_scale = scales.data(), ex.quantized_zero = zeros.data();
      body(ex);
    });
  };
  for_each_table([&](const KernelTable& table) {
    for (const int members : kTeams) {
      CAPTURE(members);
      Output x(rows, k, start), normal(rows, k);
      Output alone[4] = {{rows, 64}, {rows, 64}, {rows, n}, {rows, n}};
      run(table, members, [&](Exec& ex) { linear(ex, alone[0].tensor, x.tensor, a.columns(0, 64)); });
      run(table, members, [&](Exec& ex) { linear(ex, alone[1].tensor, x.tensor, a.columns(64, 64)); });
      run(table, members, [&](Exec& ex) { linear(ex, alone[2].tensor, x.tensor, b); });
      run(table, members, [&](Exec& ex) { layer_norm(ex, normal.tensor, x.tensor, norm); });
      run(table, members, [&](Exec& ex) { linear(ex, alone[3].tensor, normal.tensor, b); });
      Output y[4] = {{rows, 64}, {rows, 64}, {rows, n}, {rows, n}};
      std::atomic<uint32_t> operations{0};
      run(table, members, [&](Exec& ex) {
        linear(ex, y[0].tensor, x.tensor, a.columns(0, 64));
        linear(ex, y[1].tensor, x.tensor, a.columns(64, 64));  // the same input
        linear(ex, y[2].tensor, x.tensor, b);                  // other factors
        layer_norm(ex, x.tensor, x.tensor, norm);              // other numbers in the same place
        linear(ex, y[3].tensor, x.tensor, b);
        operations.store(ex.sequence);
      });
      CHECK(operations.load() == 8);
      for (int i = 0; i < 4; ++i) {
        CAPTURE(i);
        CHECK(first_difference(y[i].memory.values(), alone[i].memory.values()) == -1);
      }
    }
  });
}

TEST_CASE("ops: a LayerNorm quantises for the eight-bit product behind it, with the bits of one after the other") {
  Random random(11);
  const int64_t rows = 21, k = 70, n = 64;
  Linear a = make_linear(n, k, true, random), b = make_linear(n, k, true, random);
  a.int8 = PackedInt8(a.weights, random.uniform_vector(k, 0.5, 2).data());
  b.int8 = PackedInt8(b.weights, random.uniform_vector(k, 0.5, 2).data());
  const Linear f32 = make_linear(n, k, true, random);
  const LayerNorm norm{buffer_of(random.normal_vector(k)), buffer_of(random.normal_vector(k)), 1e-5f};
  const std::vector<float> start = random.normal_vector(rows * k);
  std::vector<uint8_t> bytes(static_cast<size_t>(rows * quantized_stride(k)));
  std::vector<float> scales(rows);
  std::vector<int32_t> zeros(rows);
  std::vector<uint16_t> halves(static_cast<size_t>(rows * bf16_depth(k)));
  const Tensor in_bf16{halves.data(), DType::bf16, rows, k, bf16_depth(k)};
  for_each_table([&](const KernelTable& table) {
    for (const int members : kTeams) {
      CAPTURE(members);
      // Products of what a LayerNorm has written, which was told of `next`; how many operations that took.
      const auto run = [&](const Linear* next, bool as_bf16, Output(&y)[3]) {
        Output x(rows, k, start);
        const Tensor copy = as_bf16 ? in_bf16 : x.tensor;
        std::atomic<uint32_t> operations{0};
        on_members(table, members, 0, [&](Exec& ex) {
          ex.quantized = bytes.data(), ex.quantized_scale = scales.data(), ex.quantized_zero = zeros.data();
          layer_norm(ex, x.tensor, copy, x.tensor, norm, next);
          linear(ex, y[0].tensor, copy, a);
          linear(ex, y[1].tensor.row_range(0, rows / 2), copy.row_range(0, rows / 2), a);  // fewer rows of the same
          layer_norm(ex, x.tensor, copy, x.tensor, norm, next);
          linear(ex, y[2].tensor, copy, b);  // not the one that was said to be next
          operations.store(ex.sequence);
        });
        return operations.load();
      };
      for (const bool as_bf16 : {false, true}) {
        CAPTURE(as_bf16);
        Output apart[3] = {{rows, n}, {rows, n}, {rows, n}}, fused[3] = {{rows, n}, {rows, n}, {rows, n}},
               told_of_f32[3] = {{rows, n}, {rows, n}, {rows, n}};
        const uint32_t operations = run(nullptr, as_bf16, apart);
        CHECK(run(&a, as_bf16, fused) == operations - 1);
        CHECK(run(&f32, as_bf16, told_of_f32) == operations);
        for (int i = 0; i < 3; ++i) {
          CAPTURE(i);
          CHECK(first_difference(fused[i].memory.values(), apart[i].memory.values()) == -1);
          CHECK(first_difference(told_of_f32[i].memory.values(), apart[i].memory.values()) == -1);
        }
      }
    }
  });
}

TEST_CASE("ops: a long chain of operations, each reading what the last one wrote") {
  // A member that ran ahead or stayed behind would show.
  Random random(8);
  const int64_t rows = 33, width = 48;
  const Linear a = make_linear(width, width, true, random), b = make_linear(width, width, true, random);
  const LayerNorm norm{buffer_of(random.normal_vector(width)), buffer_of(random.normal_vector(width)), 1e-5f};
  const std::vector<float> start = random.normal_vector(rows * width);
  for_each_table([&](const KernelTable& table) {
    std::vector<float> alone;
    for (const int members : kTeams) {
      for (int repeat = 0; repeat < 3; ++repeat) {
        Output x(rows, width, start), y(rows, width), h(rows, width);
        on_members(table, members, 0, [&](Exec& ex) {
          for (int layer = 0; layer < 9; ++layer) {
            layer_norm(ex, y.tensor, x.tensor, norm);
            linear(ex, h.tensor, y.tensor, a, Activation::gelu);
            linear(ex, x.tensor, h.tensor, b, Epilogue::add_to_output);
          }
        });
        if (alone.empty()) alone = x.memory.values();
        CAPTURE(members, repeat);
        CHECK(first_difference(x.memory.values(), alone) == -1);
        CHECK(std::isfinite(alone[0]));
      }
    }
  });
}

}  // namespace tw::test
