// Checkpoints: made of tensors or at random, changed, saved, loaded.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "tests/api/fixtures.h"
#include "tests/support/temp_dir.h"

namespace tuwen::test {
namespace {

using tw::test::TempDir;

const char* const kText = R"({"model_type": "chinese_clip_text_model", "vocab_size": 40, "hidden_size": 24,
  "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 20, "max_position_embeddings": 12)";

std::string text_config(const std::string& more = {}) { return std::string(kText) + more + "}"; }

std::string joint_config() {
  return R"({"model_type": "chinese_clip", "projection_dim": 10, "text_config": )" + text_config() +
         R"(, "vision_config": {"hidden_size": 20, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 9, "image_size": 12, "patch_size": 4}, "unknown": [1, 2]})";
}

Checkpoint random(const std::string& config, uint64_t seed = 1, int32_t threads = 1, bool without_pooler = false) {
  auto options = make<tuwen_random_options>();
  options.seed = seed;
  options.threads = threads;
  options.without_pooler = without_pooler;
  return Checkpoint::random(config, &options);
}

// Larger than random initialisation leaves them, so that everything shows in the outputs.
Checkpoint loud(const Checkpoint& from) {
  std::vector<std::vector<float>> values;
  std::vector<tuwen_tensor> tensors;
  for (size_t i = 0; i < from.size(); ++i) {
    tuwen_tensor t = from.at(i);
    values.push_back(from.values(t.name));
    uint32_t state = static_cast<uint32_t>(i) + 1;
    for (float& v : values.back()) {
      state = state * 1664525u + 1013904223u;
      v = v * 20 + 0.2f * (static_cast<float>(state >> 8) * 0x1p-24f - 0.5f);
    }
    tensors.push_back(t);
  }
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].data = values[i].data();
  return Checkpoint::of(from.config_json(), tensors);
}

Outputs run(const Model& model, const std::vector<float>& head_mask = {}) {
  Session session(model);
  const std::vector<int64_t> ids = {3, 1, 4, 1, 5, 9};
  auto in = make<tuwen_text_inputs>();
  in.input_ids = indices(ids, {2, 3});
  if (!head_mask.empty()) in.head_mask = array(head_mask, {2, 4});
  return text_forward(session, in);
}

double distance(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return worst;
}

struct Moments {
  double mean = 0, deviation = 0;
};
Moments moments(const std::vector<float>& x) {
  const auto n = static_cast<double>(x.size());
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double squares = 0;
  for (const float v : x) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
  return {mean, std::sqrt(squares / n)};
}

void check_same(const Checkpoint& a, const Checkpoint& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const std::string name = a.at(i).name;
    CAPTURE(name);
    CHECK(a.values(name) == b.values(name));
  }
}

}  // namespace

TEST_CASE("checkpoint: random weights of every kind of model fit the model") {
  for (const std::string& config :
       {joint_config(), text_config(), text_config(R"(, "position_embedding_type": "relative_key")"),
        text_config(R"(, "is_decoder": true, "add_cross_attention": true)"),
        text_config(R"(, "pruned_heads": {"1": [0, 3]})"),
        std::string(R"({"model_type": "chinese_clip_vision_model", "hidden_size": 16, "num_attention_heads": 2,
            "num_hidden_layers": 1, "intermediate_size": 8, "image_size": 8, "patch_size": 4})")}) {
    const Checkpoint made = random(config);
    const Model model = made.load();
    Session session(model);
    const tuwen_model_info info = model.info();
    CHECK(info.parameters > 0);
    CHECK(info.has_pooler == (info.kind == TUWEN_TEXT_MODEL));
    if (info.kind != TUWEN_VISION_MODEL) CHECK(run(model).size() == (info.kind == TUWEN_TEXT_MODEL ? 2 : 1));
    CHECK(made.config_json() == config);
  }
  CHECK(random(text_config(), 1, 1, true).load().info().has_pooler == 0);
}

TEST_CASE("checkpoint: random weights have the reference's distributions and depend on the seed alone") {
  const std::string config =
      R"({"model_type": "chinese_clip", "projection_dim": 256, "logit_scale_init_value": 1.5,
          "text_config": {"vocab_size": 999, "hidden_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 256, "initializer_range": 0.05, "pad_token_id": 7,
            "position_embedding_type": "relative_key"},
          "vision_config": {"hidden_size": 144, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 288, "image_size": 32, "patch_size": 8, "initializer_range": 0.03,
            "initializer_factor": 9.0}})";
  const Checkpoint made = random(config);
  const auto near = [&](const std::string& name, double deviation) {
    CAPTURE(name);
    const Moments m = moments(made.values(name));
    const double n = static_cast<double>(made.values(name).size());
    CHECK(std::abs(m.mean) < 5 * deviation / std::sqrt(n));
    CHECK(std::abs(m.deviation / deviation - 1) < 5 / std::sqrt(2 * n) + 2.0 / 999);  // a row of a table is zero
  };
  const auto constant = [&](const std::string& name, float value) {
    for (const float v : made.values(name)) CHECK(v == value);
  };
  const std::string text = "text_model.", layer = text + "encoder.layer.0.", vision = "vision_model.",
                    block = vision + "encoder.layers.1.";
  near(text + "embeddings.word_embeddings.weight", 0.05);
  near(layer + "attention.self.query.weight", 0.05);
  near(layer + "intermediate.dense.weight", 0.05);
  near(layer + "attention.self.distance_embedding.weight", 1.0);
  near(vision + "embeddings.patch_embedding.weight", 0.03);
  near(vision + "embeddings.position_embedding.weight", 0.03);
  near(vision + "embeddings.class_embedding", 1 / 12.0);
  near(block + "self_attn.k_proj.weight", 1 / 12.0 / 2);
  near(block + "self_attn.out_proj.weight", 1 / 12.0);
  near(block + "mlp.fc1.weight", 1 / std::sqrt(288.0));
  near(block + "mlp.fc2.weight", 1 / 12.0 / 2);
  near("text_projection.weight", 1 / std::sqrt(128.0));
  near("visual_projection.weight", 1 / 12.0);
  constant("logit_scale", 1.5f);
  constant(layer + "output.LayerNorm.weight", 1.0f);
  constant(block + "mlp.fc1.bias", 0.0f);
  const std::vector<float> words = made.values(text + "embeddings.word_embeddings.weight");
  for (size_t c = 0; c < 128; ++c) CHECK(words[7 * 128 + c] == 0.0f);
  CHECK(made.load().info().kind == TUWEN_JOINT_MODEL);

  check_same(made, random(config, 1, 4));
  CHECK(made.values("text_projection.weight") != random(config, 2).values("text_projection.weight"));
  CHECK(made.values(layer + "attention.self.query.weight") != made.values(layer + "attention.self.key.weight"));
}

TEST_CASE("checkpoint: saved and opened again it is the same, also over itself") {
  const TempDir directory;
  const std::string path = directory.path().string() + "/new/model";
  const Checkpoint made = loud(random(joint_config()));
  made.save(path);
  const Checkpoint opened = Checkpoint::open(path);
  CHECK(opened.config_json() == joint_config());
  check_same(made, opened);
  opened.save(path);
  check_same(made, Checkpoint::open(path));
  check_same(made, opened);  // still reads the file that it opened
  auto options = make<tuwen_load_options>();
  options.without_processor = 1;
  CHECK(distance(run(Model::load(path, &options)).values("last_hidden_state"),
                 run(made.load()).values("last_hidden_state")) == 0);

  // Every stored type, and tensors that lie strided in their file.
  for (const char* name : {"head64_bf16", "head80_f16", "legacy_bin", "odd_sharded"}) {
    const Checkpoint from = Checkpoint::open(TUWEN_TEST_DATA "/models/" + std::string(name));
    from.save(path);
    const Checkpoint copy = Checkpoint::open(path);
    for (size_t i = 0; i < from.size(); ++i) {
      const tuwen_tensor t = from.at(i), c = copy.at(copy.find(t.name));
      CHECK(t.dtype == c.dtype);
      if (t.dtype <= TUWEN_DTYPE_F64) CHECK(from.values(t.name) == copy.values(t.name));
    }
  }
}

TEST_CASE("checkpoint: pruned heads are heads that count for nothing") {
  const Checkpoint whole = loud(random(text_config()));
  const std::vector<float> mask = {1, 0, 1, 1, 0, 1, 0, 0};
  const Checkpoint once = whole.prune_heads({{0, {1}}, {1, {2, 0, 2}}}), twice = once.prune_heads({{1, {0, 3}}});
  const Outputs expected = run(whole.load(), mask), got = run(twice.load());
  CHECK(distance(got.values("last_hidden_state"), expected.values("last_hidden_state")) < 1e-5);
  CHECK(distance(run(whole.load()).values("last_hidden_state"), expected.values("last_hidden_state")) > 1e-3);
  CHECK(twice.at(twice.find("encoder.layer.1.attention.self.query.weight")).shape[0] == 6);
  CHECK(twice.at(twice.find("encoder.layer.0.attention.output.dense.weight")).shape[1] == 18);
  check_same(twice, whole.prune_heads({{0, {1}}, {1, {0, 2, 3}}}));
  const Checkpoint joint = loud(random(joint_config())).prune_heads({{0, {3}}});
  CHECK(joint.load().info().kind == TUWEN_JOINT_MODEL);
  CHECK(run(joint.load()).values("last_hidden_state").size() == 6 * 24);
  CHECK(status_of([&] { whole.prune_heads({{2, {0}}}); }) == TUWEN_INVALID_ARGUMENT);
  CHECK(status_of([&] { whole.prune_heads({{0, {4}}}); }) == TUWEN_INVALID_ARGUMENT);
  CHECK(status_of([&] { whole.prune_heads({{0, {0, 1, 2, 3}}}); }) == TUWEN_INVALID_ARGUMENT);
  CHECK(status_of([&] { run(twice.load(), mask); }) == TUWEN_UNSUPPORTED);
}

TEST_CASE("checkpoint: a tower taken out of a full model computes the same") {
  const Checkpoint joint = loud(random(joint_config()));
  const Checkpoint text = joint.tower(TUWEN_TEXT_TOWER), vision = joint.tower(TUWEN_IMAGE_TOWER);
  CHECK(text.load().info().kind == TUWEN_TEXT_MODEL);
  CHECK(vision.load().info().kind == TUWEN_VISION_MODEL);
  CHECK(distance(run(text.load()).values("last_hidden_state"), run(joint.load()).values("last_hidden_state")) == 0);
  check_same(text, text.tower(TUWEN_TEXT_TOWER));
  CHECK(status_of([&] { text.tower(TUWEN_IMAGE_TOWER); }) == TUWEN_INVALID_ARGUMENT);
  CHECK(status_of([&] { joint.tower(TUWEN_BOTH_TOWERS); }) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("checkpoint: what is wrong is refused") {
  const Checkpoint made = random(text_config());
  CHECK(status_of([] { Checkpoint::open("/nowhere"); }) == TUWEN_IO_ERROR);
  CHECK(status_of([] { random("{"); }) == TUWEN_MALFORMED);
  CHECK(status_of([] { random(text_config(R"(, "add_cross_attention": true)")); }) == TUWEN_MALFORMED);
  CHECK(status_of([&] { made.with_config("[]"); }) == TUWEN_MALFORMED);
  CHECK(status_of([&] { made.values("no such tensor"); }) == TUWEN_MISSING_TENSOR);
  CHECK(status_of([&] { made.with_config(text_config(R"(, "hidden_size": 28)")).load(); }) == TUWEN_SHAPE_MISMATCH);
  CHECK(status_of([&] { made.with_config(joint_config()).load(); }) == TUWEN_MISSING_TENSOR);
  const int64_t shape[] = {2, 3};
  const std::vector<float> data(6);
  const auto create = [&](tuwen_tensor t, size_t count = 1) {
    const std::vector<tuwen_tensor> tensors(count, t);
    return status_of([&] { Checkpoint::of(text_config(), tensors); });
  };
  CHECK(create({"x", TUWEN_DTYPE_F32, 2, shape, data.data(), 24}) == TUWEN_OK);
  CHECK(create({"x", TUWEN_DTYPE_F32, 2, shape, data.data(), 23}) == TUWEN_MALFORMED);
  CHECK(create({"x", TUWEN_DTYPE_F32, 2, shape, data.data(), 24}, 2) == TUWEN_MALFORMED);
  CHECK(create({"", TUWEN_DTYPE_F32, 2, shape, data.data(), 24}) == TUWEN_MALFORMED);
  CHECK(create({"x", 10, 2, shape, data.data(), 24}) == TUWEN_INVALID_ARGUMENT);
  CHECK(create({"x", TUWEN_DTYPE_F32, 9, shape, data.data(), 24}) == TUWEN_INVALID_ARGUMENT);
  CHECK(create({"x", TUWEN_DTYPE_F32, 2, nullptr, data.data(), 24}) == TUWEN_INVALID_ARGUMENT);
  CHECK(create({"x", TUWEN_DTYPE_F32, 2, shape, nullptr, 24}) == TUWEN_INVALID_ARGUMENT);
  CHECK(create({nullptr, TUWEN_DTYPE_F32, 2, shape, data.data(), 24}) == TUWEN_INVALID_ARGUMENT);
}

}  // namespace tuwen::test
