#include "models/config.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

using namespace tw;
using namespace tw::test;
using nlohmann::json;

namespace {

ChineseClipConfig parse(const json& value) { return parse_config(value.dump(), "config.json"); }

ChineseClipConfig text_with(const std::string& key, const json& value) {
  return parse({{"model_type", "chinese_clip"}, {"text_config", {{key, value}}}});
}

ChineseClipConfig vision_with(const std::string& key, const json& value) {
  return parse({{"model_type", "chinese_clip"}, {"vision_config", {{key, value}}}});
}

}  // namespace

TEST_CASE("an empty configuration is the classes' defaults") {
  for (const char* text : {R"({"model_type":"chinese_clip"})", R"({"text_config":null})",
                           R"({"model_type":"chinese_clip","text_config":{},"vision_config":null})",
                           R"({"model_type":null,"vision_config":{},"text_config_dict":null})"}) {
    const ChineseClipConfig c = parse_config(text, "config.json");
    CHECK(c.kind == ConfigKind::joint);
    CHECK(c.projection_dim == 512);
    CHECK(c.logit_scale_init_value == 2.6592);
    CHECK(c.json == text);
    CHECK(c.text.vocab_size == 30522);
    CHECK(c.text.hidden_size == 768);
    CHECK(c.text.num_hidden_layers == 12);
    CHECK(c.text.num_attention_heads == 12);
    CHECK(c.text.intermediate_size == 3072);
    CHECK(c.text.hidden_act == "gelu");
    CHECK(c.text.max_position_embeddings == 512);
    CHECK(c.text.type_vocab_size == 2);
    CHECK(c.text.layer_norm_eps == 1e-12);
    CHECK(c.text.pad_token_id == 0);
    CHECK(c.text.position_embedding_type == "absolute");
    CHECK(c.text.use_cache);
    CHECK_FALSE(c.text.is_decoder);
    CHECK_FALSE(c.text.add_cross_attention);
    CHECK(c.text.pruned_heads.empty());
    CHECK(c.text.return_dict);
    CHECK(c.vision.hidden_size == 768);
    CHECK(c.vision.patch_size == 32);
    CHECK(c.vision.image_size == 224);
    CHECK(c.vision.hidden_act == "quick_gelu");
    CHECK(c.vision.layer_norm_eps == 1e-5);
    CHECK(c.vision.tokens() == 50);
  }
}

TEST_CASE("every field is read from its key") {
  const json text = {{"vocab_size", 101},
                     {"hidden_size", 48},
                     {"num_hidden_layers", 3},
                     {"num_attention_heads", 6},
                     {"intermediate_size", 77},
                     {"hidden_act", "relu"},
                     {"hidden_dropout_prob", 0.25},
                     {"attention_probs_dropout_prob", 1},
                     {"max_position_embeddings", 40},
                     {"type_vocab_size", 5},
                     {"initializer_range", 0.5},
                     {"initializer_factor", 2},
                     {"layer_norm_eps", 1e-3},
                     {"pad_token_id", 7},
                     {"position_embedding_type", "relative_key_query"},
                     {"use_cache", false},
                     {"is_decoder", true},
                     {"add_cross_attention", true},
                     {"pruned_heads", {{"2", {5, 0, 5}}}},
                     {"output_attentions", true},
                     {"output_hidden_states", true},
                     {"return_dict", false},
                     {"torchscript", true},
                     {"chunk_size_feed_forward", 4},
                     {"torch_dtype", "float16"},
                     {"directionality", "bidi"},
                     {"model_type", "anything"}};
  const json vision = {
      {"hidden_size", 160},       {"intermediate_size", 99}, {"projection_dim", 24},     {"num_hidden_layers", 2},
      {"num_attention_heads", 2}, {"num_channels", 1},       {"image_size", 37},         {"patch_size", 5},
      {"hidden_act", "gelu_new"}, {"layer_norm_eps", 0.01},  {"attention_dropout", 0.5}, {"initializer_range", 1},
      {"initializer_factor", 3},  {"dropout", 0.0}};
  const auto check_text = [](const TextConfig& c) {
    CHECK(c.vocab_size == 101);
    CHECK(c.hidden_size == 48);
    CHECK(c.num_hidden_layers == 3);
    CHECK(c.num_attention_heads == 6);
    CHECK(c.intermediate_size == 77);
    CHECK(c.hidden_act == "relu");
    CHECK(c.hidden_dropout_prob == 0.25);
    CHECK(c.attention_probs_dropout_prob == 1);
    CHECK(c.max_position_embeddings == 40);
    CHECK(c.type_vocab_size == 5);
    CHECK(c.initializer_range == 0.5);
    CHECK(c.initializer_factor == 2);
    CHECK(c.layer_norm_eps == 1e-3);
    CHECK(c.pad_token_id == 7);
    CHECK(c.position_embedding_type == "relative_key_query");
    CHECK_FALSE(c.use_cache);
    CHECK(c.is_decoder);
    CHECK(c.add_cross_attention);
    CHECK(c.pruned_heads == std::map<int64_t, std::vector<int64_t>>{{2, {0, 5}}});
    CHECK(c.output_attentions);
    CHECK(c.output_hidden_states);
    CHECK_FALSE(c.return_dict);
    CHECK(c.torchscript);
    CHECK(c.chunk_size_feed_forward == 4);
    CHECK(c.torch_dtype == "float16");
    CHECK(c.head_dim() == 8);
  };
  const auto check_vision = [](const VisionConfig& c) {
    CHECK(c.hidden_size == 160);
    CHECK(c.intermediate_size == 99);
    CHECK(c.projection_dim == 24);
    CHECK(c.num_hidden_layers == 2);
    CHECK(c.num_attention_heads == 2);
    CHECK(c.num_channels == 1);
    CHECK(c.image_size == 37);
    CHECK(c.patch_size == 5);
    CHECK(c.hidden_act == "gelu_new");
    CHECK(c.layer_norm_eps == 0.01);
    CHECK(c.attention_dropout == 0.5);
    CHECK(c.initializer_range == 1);
    CHECK(c.initializer_factor == 3);
    CHECK(c.head_dim() == 80);
    CHECK(c.grid() == 7);  // the convolution floors
    CHECK(c.tokens() == 50);
  };
  const ChineseClipConfig joint = parse({{"model_type", "chinese_clip"},
                                         {"text_config", text},
                                         {"vision_config", vision},
                                         {"projection_dim", 24},
                                         {"logit_scale_init_value", 4},
                                         {"initializer_factor", 9},
                                         {"initializer_range", 9},
                                         {"output_attentions", true}});
  check_text(joint.text);
  check_vision(joint.vision);
  CHECK(joint.projection_dim == 24);
  CHECK(joint.logit_scale_init_value == 4);
  CHECK(joint.initializer_factor == 1.0);
  CHECK(joint.initializer_range == 0.02);
  CHECK(joint.output_attentions);

  json alone = text;
  alone["model_type"] = "chinese_clip_text_model";
  CHECK(parse(alone).kind == ConfigKind::text);
  check_text(parse(alone).text);
  alone = vision;
  alone["model_type"] = "chinese_clip_vision_model";
  CHECK(parse(alone).kind == ConfigKind::vision);
  check_vision(parse(alone).vision);
}

TEST_CASE("a sparse file, as saved: differences from the defaults") {
  const ChineseClipConfig c = parse_config(R"({
    "architectures": ["ChineseCLIPModel"], "initializer_factor": 1.0, "logit_scale_init_value": 2.6592,
    "model_type": "chinese_clip", "projection_dim": 512, "torch_dtype": "float32", "transformers_version": null,
    "text_config": {"architectures": ["ChineseCLIPTextModel"], "bos_token_id": 0, "directionality": "bidi",
                    "eos_token_id": 2, "model_type": "chinese_clip_text_model", "output_past": true,
                    "pooler_fc_size": 768, "pooler_type": "first_token_transform", "vocab_size": 21128},
    "vision_config": {"dropout": 0.0, "model_type": "chinese_clip_vision_model", "patch_size": 16}})",
                                           "config.json");
  CHECK(c.text.vocab_size == 21128);
  CHECK(c.text.hidden_size == 768);
  CHECK(c.vision.patch_size == 16);
  CHECK(c.vision.tokens() == 197);
}

TEST_CASE("a legacy section resets every known key of its tower") {
  const ChineseClipConfig c =
      parse({{"model_type", "chinese_clip"},
             {"text_config", {{"vocab_size", 100}, {"hidden_size", 64}, {"num_hidden_layers", 2}}},
             {"text_config_dict", {{"hidden_size", 96}}},
             {"vision_config", {{"patch_size", 16}, {"hidden_act", "gelu"}}}});
  CHECK(c.text.hidden_size == 96);
  CHECK(c.text.vocab_size == 30522);      // not 100
  CHECK(c.text.num_hidden_layers == 12);  // not 2
  CHECK(c.vision.patch_size == 16);       // the other tower is not touched
  CHECK(c.vision.hidden_act == "gelu");

  const ChineseClipConfig v = parse({{"vision_config", {{"patch_size", 16}}}, {"vision_config_dict", json::object()}});
  CHECK(v.vision.patch_size == 32);
  CHECK(parse({{"vision_config", {{"patch_size", 16}}}, {"vision_config_dict", nullptr}}).vision.patch_size == 16);
  CHECK(parse({{"text_config_dict", {{"vocab_size", 77}}}}).text.vocab_size == 77);
  expect_error(
      ErrorCode::malformed,
      [] {
        parse({{"text_config_dict", {{"vocab_size", "x"}}}});
      },
      "text_config_dict.vocab_size");
  expect_error(
      ErrorCode::malformed,
      [] {
        parse({{"vision_config", 3}});
      },
      "vision_config", "an object", "found 3");
}

TEST_CASE("what kind of model a file describes") {
  expect_error(
      ErrorCode::unsupported,
      [] {
        parse({{"model_type", "bert"}});
      },
      "model_type", "chinese_clip", "found bert");
  expect_error(
      ErrorCode::unsupported, [] { parse(json::object()); }, "model_type", "no model_type");
  expect_error(
      ErrorCode::malformed,
      [] {
        parse({{"model_type", 1}});
      },
      "model_type");
  const json cn_clip = {
      {"embed_dim", 1024}, {"image_resolution", 224}, {"vision_layers", "[3,4,6,3]"}, {"vocab_size", 21128}};
  expect_error(
      ErrorCode::unsupported, [&] { parse(cn_clip); }, "cn_clip");
}

TEST_CASE("one integer field at a time: the range is accepted to its ends and refused beyond") {
  struct Range {
    const char* key;
    int64_t least, most;
    json with_least = json::object(), with_most = json::object();  // other fields that make the end valid
  };
  const std::vector<Range> text = {
      {"vocab_size", 1, 1'000'000},
      {"hidden_size", 8, 16384, {{"num_attention_heads", 4}}, {{"num_attention_heads", 256}}},
      {"num_hidden_layers", 1, 128},
      {"num_attention_heads", 1, 256, {{"hidden_size", 512}}, {{"hidden_size", 768}}},
      {"intermediate_size", 1, 65536},
      {"max_position_embeddings", 1, 8192},
      {"type_vocab_size", 1, 1024},
      {"chunk_size_feed_forward", 0, int64_t{1} << 31},
      {"pad_token_id", -30522, 30521}};
  const std::vector<Range> vision = {
      {"hidden_size", 8, 16384, {{"num_attention_heads", 4}}, {{"num_attention_heads", 256}}},
      {"num_hidden_layers", 1, 128},
      {"num_attention_heads", 1, 256, {{"hidden_size", 512}}, {{"hidden_size", 768}}},
      {"intermediate_size", 1, 65536},
      {"projection_dim", 1, 8192},
      {"num_channels", 1, 64},
      {"image_size", 1, 2048, {{"patch_size", 1}}},
      {"patch_size", 1, 64}};
  const auto check = [](const char* section, const Range& r) {
    CAPTURE(section, r.key);
    const std::string field = std::string(section) + "." + r.key;
    const auto with = [&](const json& value, json others = json::object()) {
      others[r.key] = value;
      return parse({{"model_type", "chinese_clip"}, {section, others}});
    };
    CHECK_NOTHROW(with(r.least, r.with_least));
    CHECK_NOTHROW(with(r.most, r.with_most));
    const std::vector<std::pair<json, ErrorCode>> bad = {
        {r.least - 1, ErrorCode::malformed},
        {std::numeric_limits<int64_t>::min(), ErrorCode::malformed},
        {r.most + 1, ErrorCode::limit_exceeded},
        {std::numeric_limits<int64_t>::max(), ErrorCode::limit_exceeded},
        {std::numeric_limits<uint64_t>::max(), ErrorCode::malformed},
        {1e30, ErrorCode::malformed},
        {16.0, ErrorCode::malformed},
        {"16", ErrorCode::malformed},
        {true, ErrorCode::malformed},
        {json::array(), ErrorCode::malformed},
        {json::object(), ErrorCode::malformed}};
    for (const auto& [value, code] : bad) {
      CAPTURE(value);
      expect_error(
          code, [&, v = &value] { with(*v); }, "config.json: " + field + ":");
    }
    if (std::string_view(r.key) != "pad_token_id")
      expect_error(
          ErrorCode::malformed, [&] { with(nullptr); }, "config.json: " + field + ":");
  };
  for (const Range& r : text) check("text_config", r);
  for (const Range& r : vision) check("vision_config", r);
  CHECK_FALSE(text_with("pad_token_id", nullptr).text.pad_token_id.has_value());
  for (const int64_t bad : {0, -1, 8193})
    expect_error(
        bad > 0 ? ErrorCode::limit_exceeded : ErrorCode::malformed,
        [&] {
          parse({{"model_type", "chinese_clip"}, {"projection_dim", bad}});
        },
        "config.json: projection_dim");
}

TEST_CASE("one other field at a time") {
  for (const json& bad :
       {json(0), json(0.0), json(-1e-12), json(0.0101), json("1e-5"), json(nullptr), json(true), json::array()}) {
    CAPTURE(bad);
    expect_error(
        ErrorCode::malformed, [&] { text_with("layer_norm_eps", bad); }, "text_config.layer_norm_eps");
    expect_error(
        ErrorCode::malformed, [&] { vision_with("layer_norm_eps", bad); }, "vision_config.layer_norm_eps");
  }
  CHECK(text_with("layer_norm_eps", 0.01).text.layer_norm_eps == 0.01);
  for (const char* key : {"hidden_dropout_prob", "attention_probs_dropout_prob"})
    for (const json& bad : {json(-0.1), json(1.1), json("0"), json(nullptr)})
      expect_error(
          ErrorCode::malformed, [&] { text_with(key, bad); }, std::string("text_config.") + key);
  expect_error(
      ErrorCode::malformed, [] { vision_with("attention_dropout", 2); }, "vision_config.attention_dropout");
  for (const char* key : {"use_cache", "is_decoder", "add_cross_attention", "output_attentions", "output_hidden_states",
                          "return_dict", "torchscript"})
    for (const json& bad : {json(0), json("true"), json(nullptr), json::object()})
      expect_error(
          ErrorCode::malformed, [&] { text_with(key, bad); }, std::string("text_config.") + key);
  for (const char* key : {"hidden_act", "position_embedding_type"})
    for (const json& bad : {json(0), json(nullptr), json::array({"gelu"})})
      expect_error(
          ErrorCode::malformed, [&] { text_with(key, bad); }, std::string("text_config.") + key);
  expect_error(
      ErrorCode::unsupported, [] { text_with("position_embedding_type", "rotary"); }, "relative_key_query", "rotary");
  expect_error(
      ErrorCode::malformed, [] { text_with("torch_dtype", 1); }, "text_config.torch_dtype");
  expect_error(
      ErrorCode::malformed,
      [] {
        parse({{"model_type", "chinese_clip"}, {"logit_scale_init_value", "x"}});
      },
      "logit_scale_init_value");
}

TEST_CASE("combinations that make no model") {
  expect_error(
      ErrorCode::malformed, [] { text_with("num_attention_heads", 7); }, "text_config.num_attention_heads", "768");
  expect_error(
      ErrorCode::malformed, [] { vision_with("hidden_size", 770); }, "vision_config.num_attention_heads", "770");
  expect_error(
      ErrorCode::limit_exceeded, [] { text_with("num_attention_heads", 1); }, "text_config.num_attention_heads", "512");
  expect_error(
      ErrorCode::malformed, [] { vision_with("image_size", 31); }, "vision_config.patch_size", "image_size 31");
  expect_error(
      ErrorCode::malformed,
      [] {
        text_with("pruned_heads", {{"12", {0}}});
      },
      "text_config.pruned_heads.12");
  expect_error(
      ErrorCode::limit_exceeded,
      [] {
        text_with("pruned_heads", {{"0", {12}}});
      },
      "text_config.pruned_heads.0");
  expect_error(
      ErrorCode::malformed,
      [] {
        text_with("pruned_heads", {{"0", {-1}}});
      },
      "text_config.pruned_heads.0");
  expect_error(
      ErrorCode::malformed,
      [] {
        text_with("pruned_heads", {{"x", {1}}});
      },
      "text_config.pruned_heads.x");
  expect_error(
      ErrorCode::malformed,
      [] {
        text_with("pruned_heads", {{"0", 1}});
      },
      "text_config.pruned_heads.0");
  expect_error(
      ErrorCode::malformed, [] { text_with("pruned_heads", json::array({1})); }, "text_config.pruned_heads");
  json all = json::array();
  for (int i = 0; i < 12; ++i) all.push_back(i);
  expect_error(
      ErrorCode::malformed,
      [&] {
        text_with("pruned_heads", {{"0", all}});
      },
      "one head left");
}

TEST_CASE("text that is not a configuration") {
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{"), std::string("{\"model_type\":NaN}"), std::string("{}\0", 3),
        std::string("\xff\xfe{}"), std::string("{\"model_type\":\"chinese_clip\",}"), std::string("{\"a\":1e999}")}) {
    CAPTURE(printable(bad));
    expect_error(
        ErrorCode::malformed, [&] { parse_config(bad, "config.json"); }, "config.json");
  }
  expect_error(
      ErrorCode::limit_exceeded, [] { parse_config(std::string((1 << 20) + 1, ' '), "config.json"); }, "config.json");
  const std::string deep = "{\"x\":" + std::string(500'000, '[') + std::string(500'000, ']') + "}";
  expect_error(
      ErrorCode::limit_exceeded, [&] { parse_config(deep, "config.json"); }, "config.json", "32 deep");
}

TEST_CASE("a configuration is read from its directory") {
  const TempDir dir;
  expect_error(
      ErrorCode::io_error, [&] { read_config(dir.path()); }, "config.json");
  dir.write("config.json", R"({"model_type":"chinese_clip","projection_dim":99})");
  CHECK(read_config(dir.path()).projection_dim == 99);
  CHECK(read_config(dir.path() / "config.json").projection_dim == 99);
}
