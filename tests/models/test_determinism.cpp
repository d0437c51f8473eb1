// An embedding's bits depend on the model, the kernel table and the input alone: not on the batch, the place in it, the
// slices a batch is cut into, the number of threads, or where the threads come from.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <numeric>

#include "kernels/select.h"
#include "models/session.h"
#include "tests/support/golden_model.h"
#include "tests/support/random.h"
#include "tests/support/random_checkpoint.h"

using namespace tw;
using namespace tw::test;

namespace {

// Sizes of the real models where they matter: heads 64 and 80 wide, several panels of columns, 197 image tokens, texts
// longer than a tile of attention; few layers.
ChineseClipConfig config_like_real_models() {
  ChineseClipConfig c;
  c.projection_dim = 72;
  c.text.vocab_size = 97;
  c.text.hidden_size = 128;
  c.text.num_attention_heads = 2;
  c.text.num_hidden_layers = 2;
  c.text.intermediate_size = 200;
  c.text.max_position_embeddings = 90;
  c.vision.hidden_size = 160;
  c.vision.num_attention_heads = 2;
  c.vision.num_hidden_layers = 2;
  c.vision.intermediate_size = 144;
  c.vision.image_size = 28;
  c.vision.patch_size = 2;
  return c;
}

struct Item {
  std::vector<int32_t> ids, type_ids;  // a text
  std::vector<uint8_t> bytes;          // an image, [S, S, 3]
  std::vector<float> pixels;           // an image, [C, S, S]
};

std::vector<Item> random_items(const ChineseClipConfig& c, int64_t count, Random& random) {
  std::vector<Item> items(static_cast<size_t>(count));
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t limit = c.text.max_position_embeddings;
    const int64_t length = i == 0 ? limit : i == 1 ? 1 : random.integer(1, limit);
    for (int64_t t = 0; t < length; ++t) {
      items[i].ids.push_back(static_cast<int32_t>(random.integer(0, c.text.vocab_size - 1)));
      items[i].type_ids.push_back(static_cast<int32_t>(random.integer(0, c.text.type_vocab_size - 1)));
    }
    const int64_t pixels = c.vision.num_channels * c.vision.image_size * c.vision.image_size;
    items[i].pixels = random.uniform_vector(pixels, -1.8, 2.2);
    for (int64_t p = 0; p < pixels; ++p) items[i].bytes.push_back(static_cast<uint8_t>(random.integer(0, 255)));
  }
  return items;
}

using Embeddings = std::vector<std::vector<float>>;  // one per item, in the order of the items

Embeddings rows_of(const std::vector<float>& out, std::span<const size_t> order, size_t items) {
  Embeddings rows(items);
  const size_t width = order.empty() ? 0 : out.size() / order.size();
  for (size_t i = 0; i < order.size(); ++i)
    rows[order[i]].assign(out.begin() + static_cast<ptrdiff_t>(i * width),
                          out.begin() + static_cast<ptrdiff_t>((i + 1) * width));
  return rows;
}

Embeddings encode_texts(Session& session, const std::vector<Item>& items, std::span<const size_t> order) {
  std::vector<int32_t> ids, types;
  std::vector<int64_t> offsets{0};
  for (const size_t i : order) {
    ids.insert(ids.end(), items[i].ids.begin(), items[i].ids.end());
    types.insert(types.end(), items[i].type_ids.begin(), items[i].type_ids.end());
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  std::vector<float> out(order.size() * static_cast<size_t>(session.model().embedding_width()));
  session.encode_texts({ids, offsets, types, {}}, out);
  return rows_of(out, order, items.size());
}

Embeddings encode_images(Session& session, const std::vector<Item>& items, std::span<const size_t> order) {
  std::vector<float> pixels;
  for (const size_t i : order) pixels.insert(pixels.end(), items[i].pixels.begin(), items[i].pixels.end());
  std::vector<float> out(order.size() * static_cast<size_t>(session.model().embedding_width()));
  session.encode_images({.pixels = pixels.data(), .count = static_cast<int64_t>(order.size())}, out);
  return rows_of(out, order, items.size());
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

using Encode = Embeddings (*)(Session&, const std::vector<Item>&, std::span<const size_t>);

// Every item by itself, on one thread.
Embeddings each_alone(const std::shared_ptr<const ChineseClip>& model, const KernelTable* table,
                      const std::vector<Item>& items, Encode encode) {
  Session session(model, {.kernels = table});
  Embeddings all;
  for (size_t i = 0; i < items.size(); ++i) all.push_back(encode(session, items, std::span(&i, 1))[i]);
  return all;
}

void check_batches(const std::shared_ptr<const ChineseClip>& model, const KernelTable* table,
                   const std::vector<Item>& items, Random random, std::span<const bool> with_openmp) {
  for (const Encode encode : {&encode_texts, &encode_images}) {
    const Embeddings expected = each_alone(model, table, items, encode);
    CHECK_FALSE(same_bits(expected[0], expected[1]));
    for (const int threads : {1, 2, 3, 7}) {
      if (table == &reference_table() && threads != 3) continue;  // slow, and without tiles
      for (const bool use_openmp : with_openmp) {
        for (const int64_t max_rows : {1, 450}) {
          Session session(model, {.threads = threads,
                                  .executor = use_openmp ? openmp() : Executor{},
                                  .max_rows = max_rows,
                                  .kernels = table});
          std::vector<size_t> order(items.size());
          std::iota(order.begin(), order.end(), size_t{0});
          for (size_t i = order.size() - 1; i > 0; --i)
            std::swap(order[i], order[static_cast<size_t>(random.integer(0, static_cast<int64_t>(i)))]);
          // The first three of the order by themselves, too: few items are shared out differently from many.
          for (const size_t count : {size_t{3}, order.size()}) {
            const auto batch = std::span(order).first(count);
            const Embeddings got = encode(session, items, batch);
            for (size_t place = 0; place < count; ++place) {
              if (!same_bits(got[batch[place]], expected[batch[place]]))
                FAIL_CHECK(table->name << ", " << threads << (use_openmp ? " OpenMP" : " own") << " threads, slices of "
                                       << max_rows << " rows: " << (encode == &encode_texts ? "text " : "image ")
                                       << batch[place] << " at place " << place << " of " << count << " differs");
            }
          }
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("an embedding has the same bits alone, in any batch and with any number of threads") {
  const uint64_t seed = 20240607;
  INFO("seed " << seed);
  Random random(seed);
  const ChineseClipConfig config = config_like_real_models();
  const std::vector<Item> items = random_items(config, 5, random);
  constexpr bool kOwnThreadsAndOpenMp[] = {false, true};
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const auto model = load_random(config, seed, {.precision = precision});
    for (const KernelTable* table : available_tables(query_cpu()))
      check_batches(model, table, items, random,
                    precision == Precision::f32 ? std::span<const bool>(kOwnThreadsAndOpenMp)
                                                : std::span<const bool>(kOwnThreadsAndOpenMp).first(1));
  }
}

TEST_CASE("the golden models' embeddings have the same bits in any batch") {
  for (const std::string& name : golden_models()) {
    INFO(name);
    Random random(7);
    const GoldenModel m(name);
    const std::vector<Item> items = random_items(m.model->config(), 13, random);
    constexpr bool kOwnThreads[] = {false};
    for (const KernelTable* table : available_tables(query_cpu()))
      check_batches(m.model, table, items, random, kOwnThreads);
  }
}

TEST_CASE("what is left out has the same bits as what it stands for") {
  const ChineseClipConfig config = config_like_real_models();
  const auto model = load_random(config, 3);
  Random random(4);
  const std::vector<Item> items = random_items(config, 2, random);
  const size_t width = static_cast<size_t>(config.projection_dim);
  for (const KernelTable* table : available_tables(query_cpu())) {
    INFO(table->name);
    Session session(model, {.kernels = table});
    const std::vector<int32_t>& ids = items[0].ids;
    const std::vector<int64_t> offsets{0, static_cast<int64_t>(ids.size())};
    const std::vector<int32_t> zeros(ids.size(), 0);
    std::vector<int32_t> counting(ids.size());
    std::iota(counting.begin(), counting.end(), 0);
    std::vector<float> implied(width), given(width);
    session.encode_texts({ids, offsets}, implied);
    session.encode_texts({ids, offsets, zeros, counting}, given);
    CHECK(same_bits(implied, given));

    // Bytes through a table, and the same values as floats.
    const std::vector<float> values = random.uniform_vector(3 * 256, -2, 2);
    const int64_t side = config.vision.image_size;
    std::vector<float> planar(static_cast<size_t>(3 * side * side)), from_bytes(width), from_floats(width);
    for (int64_t p = 0; p < side * side; ++p)
      for (int64_t c = 0; c < 3; ++c)
        planar[static_cast<size_t>(c * side * side + p)] =
            values[static_cast<size_t>(c * 256 + items[0].bytes[static_cast<size_t>(3 * p + c)])];
    session.encode_images({.pixels = items[0].bytes.data(), .u8 = true, .table = values.data(), .count = 1},
                          from_bytes);
    session.encode_images({.pixels = planar.data(), .count = 1}, from_floats);
    CHECK(same_bits(from_bytes, from_floats));
  }
}

TEST_CASE("the driver that shows every row agrees with the one that does not") {
  const ChineseClipConfig config = config_like_real_models();
  const auto model = load_random(config, 5);
  Random random(6);
  const std::vector<Item> items = random_items(config, 3, random);
  for (const KernelTable* table : available_tables(query_cpu())) {
    Session session(model, {.kernels = table});
    for (const Item& item : items) {
      const std::vector<int64_t> offsets{0, static_cast<int64_t>(item.ids.size())};
      std::vector<float> plain(static_cast<size_t>(config.projection_dim)), shown(plain.size());
      for (const bool text : {true, false}) {
        const auto encode = [&](std::vector<float>& out, Capture* capture) {
          EmbedOptions options;
          options.capture = capture;
          if (text) {
            session.encode_texts({item.ids, offsets, item.type_ids, {}}, out, options);
          } else {
            session.encode_images({.pixels = item.pixels.data(), .count = 1}, out, options);
          }
        };
        Capture capture;
        encode(plain, nullptr);
        encode(shown, &capture);
        double largest = 0;
        for (size_t i = 0; i < plain.size(); ++i)
          largest = std::max(largest, std::abs(static_cast<double>(plain[i]) - static_cast<double>(shown[i])));
        INFO(table->name << (text ? ", text" : ", image"));
        CHECK(largest <= 1e-5);
      }
    }
  }
}
