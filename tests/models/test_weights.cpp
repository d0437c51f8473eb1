// How weights get from a file into the packed form that products read.
#include <catch2/catch.hpp>

#include "models/weights.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/support/expect_error.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

using namespace tw;
using namespace tw::test;

namespace {

// Weight [n, k] as a product reads it.
float packed_at(const PackedMatrix& m, int64_t n, int64_t k) {
  return m.f32_strip_at(n / kStrip * kStrip)[k * kStrip + n % kStrip];
}

int64_t differences(const PackedMatrix& m, int64_t first, int64_t n, int64_t k, const std::vector<float>& expected) {
  int64_t wrong = 0;
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c < k; ++c)
      wrong += packed_at(m, first + r, c) != expected[static_cast<size_t>(r * k + c)] ? 1 : 0;
  return wrong;
}

}  // namespace

TEST_CASE("every weight is where the product looks for it") {
  Random random(11);
  // Larger than what is read at a time, in both directions, and no multiple of anything.
  const int64_t n = 53, k = 60001, wide = 17001, narrow = 67;
  const auto big = random.uniform_vector(n * k), bias = random.uniform_vector(n),
             tall = random.uniform_vector(wide * narrow);
  const TempDir directory;
  directory.write("model.safetensors",
                  safetensors_of({f32_tensor("big.weight", {n, k}, big), f32_tensor("big.bias", {n}, bias),
                                  f32_tensor("tall.weight", {wide, narrow}, tall)}));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  for (const int threads : {1, 3}) {
    WeightBinder binder(checkpoint, {.threads = threads});
    Linear a, b;
    const auto bind = [&] {
      binder.linear(a, "big", n, k);
      binder.linear(b, "tall", wide, narrow, WeightBinder::Bias::no);
    };
    bind();
    binder.check();
    bind();
    binder.read();
    CHECK(differences(a.weights, 0, n, k, big) == 0);
    CHECK(differences(b.weights, 0, wide, narrow, tall) == 0);
    CHECK(std::equal(bias.begin(), bias.end(), a.bias.as<float>()));
    CHECK(b.bias.size() == 0);
  }
}

TEST_CASE("joined products begin at strip boundaries, each with its own bias") {
  Random random(12);
  const int64_t n = 21, k = 9;
  std::vector<std::vector<float>> weights, biases;
  std::vector<TensorBytes> tensors;
  for (const char* name : {"q", "k", "v"}) {
    weights.push_back(random.uniform_vector(n * k));
    biases.push_back(random.uniform_vector(n));
    tensors.push_back(f32_tensor(name + std::string(".weight"), {n, k}, weights.back()));
    tensors.push_back(f32_tensor(name + std::string(".bias"), {n}, biases.back()));
  }
  const TempDir directory;
  directory.write("model.safetensors", safetensors_of(tensors));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  WeightBinder binder(checkpoint, {});
  Linear w;
  for (int pass = 0; pass < 2; ++pass) {
    if (pass == 1) binder.check();
    binder.joined(w, {"q", "k", "v"}, n, k);
  }
  binder.read();
  for (size_t part = 0; part < 3; ++part) {
    const auto first = static_cast<int64_t>(part) * 32;
    CHECK(differences(w.weights, first, n, k, weights[part]) == 0);
    CHECK(std::equal(biases[part].begin(), biases[part].end(), w.bias.as<float>() + first));
  }
}

TEST_CASE("one error lists everything that does not fit the configuration") {
  const TempDir directory;
  directory.write("model.safetensors", safetensors_of({f32_tensor("a.weight", {2, 3}, std::vector<float>(6)),
                                                       f32_tensor("stray", {1}, std::vector<float>(1))}));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  WeightBinder binder(checkpoint, {});
  Linear a;
  LayerNorm norm;
  binder.linear(a, "a", 3, 2);
  binder.layer_norm(norm, "norm", 4, 1e-5);
  expect_error(
      ErrorCode::missing_tensor, [&] { binder.check(); }, "model.safetensors", "3 missing", "a.bias [3]",
      "norm.weight [4]", "norm.bias [4]", "a.weight: expected [3, 2], found [2, 3]", "stray [1]");
}

TEST_CASE("weights beyond the memory budget are refused before they are read") {
  const TempDir directory;
  directory.write("model.safetensors", safetensors_of({f32_tensor("a.weight", {1, 1000}, std::vector<float>(1000))}));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  WeightBinder binder(checkpoint, {.memory_budget = 1000});
  Linear a;
  binder.linear(a, "a", 1, 1000, WeightBinder::Bias::no);
  expect_error(
      ErrorCode::limit_exceeded, [&] { binder.check(); }, "memory budget", "1000 bytes");
}

TEST_CASE("weights that are not numbers are refused by name") {
  const TempDir directory;
  std::vector<float> values(6, 1.0f);
  values[4] = NAN;
  directory.write("model.safetensors", safetensors_of({f32_tensor("a.weight", {2, 3}, values)}));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  WeightBinder binder(checkpoint, {});
  Linear a;
  for (int pass = 0; pass < 2; ++pass) {
    if (pass == 1) binder.check();
    binder.linear(a, "a", 2, 3, WeightBinder::Bias::no);
  }
  expect_error(
      ErrorCode::non_finite, [&] { binder.read(); }, "a.weight");
}
