// Forward passes against the reference: every call of tests/data/surface, whose files scripts/make_surface_goldens.py
// describes, on several kernel tables, teams and slices. Then what is refused, and by which name.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "tests/api/fixtures.h"
#include "tests/support/goldens.h"

namespace tuwen::test {
namespace {

using tw::test::GoldenArray;
using tw::test::Goldens;

std::string surface(const std::string& name) { return TUWEN_TEST_DATA "/surface/" + name; }

// The arrays of one golden call, as inputs. Integer masks become floats.
class Call {
 public:
  Call(const Goldens& goldens, const std::string& name) {
    for (const std::string& full : goldens.names()) {
      if (full.starts_with(name + ".in.")) read_input(goldens, full, full.substr(name.size() + 4));
      if (full.starts_with(name + ".out.")) expected.emplace(full.substr(name.size() + 5), goldens.f32(full));
    }
  }

  tuwen_array floats(const std::string& name) const {
    const auto found = floats_.find(name);
    if (found == floats_.end()) return {};
    tuwen_array a = {};
    a.data = found->second.values.data();
    for (const int64_t d : found->second.shape) a.shape[a.rank++] = d;
    return a;
  }
  tuwen_indices integers(const std::string& name) const {
    const auto found = integers_.find(name);
    if (found == integers_.end()) return {};
    return indices(found->second.values, {found->second.shape.at(0), found->second.shape.at(1)});
  }
  // Past arrays in the order of a call; lives as long as this.
  const std::vector<tuwen_array>& past() {
    past_.clear();
    for (int layer = 0;; ++layer) {
      const size_t before = past_.size();
      for (const char* part : {"key", "value", "cross_key", "cross_value"}) {
        const tuwen_array a = floats("past." + std::to_string(layer) + "." + part);
        if (a.rank != 0) past_.push_back(a);
      }
      if (past_.size() == before) return past_;
    }
  }
  uint32_t wanted() const {
    uint32_t sum = 0;
    for (const auto& [name, array] : expected) {
      for (const auto& [prefix, flag] :
           {std::pair<const char*, uint32_t>{"last_hidden_state", TUWEN_OUTPUT_LAST_HIDDEN_STATE},
            {"pooler_output", TUWEN_OUTPUT_POOLER},
            {"hidden_states.", TUWEN_OUTPUT_HIDDEN_STATES},
            {"attentions.", TUWEN_OUTPUT_ATTENTIONS},
            {"cross_attentions.", TUWEN_OUTPUT_ATTENTIONS},
            {"past.", TUWEN_OUTPUT_CACHE},
            {"features", TUWEN_OUTPUT_FEATURES},
            {"embeds", TUWEN_OUTPUT_EMBEDS}})
        if (name.starts_with(prefix)) sum |= flag;
    }
    return sum;
  }
  tuwen_text_inputs text() {
    auto in = make<tuwen_text_inputs>();
    in.outputs = wanted();
    in.input_ids = integers("input_ids");
    in.token_type_ids = integers("token_type_ids");
    in.position_ids = integers("position_ids");
    in.inputs_embeds = floats("inputs_embeds");
    in.attention_mask = floats("attention_mask");
    in.head_mask = floats("head_mask");
    in.encoder_hidden_states = floats("encoder_hidden_states");
    in.encoder_attention_mask = floats("encoder_attention_mask");
    in.past_key_values = past().data();
    in.past_key_value_count = past_.size();
    return in;
  }
  tuwen_vision_inputs vision(bool interpolate) const {
    auto in = make<tuwen_vision_inputs>();
    in.outputs = wanted();
    in.pixel_values = floats("pixel_values");
    in.interpolate_pos_encoding = interpolate;
    return in;
  }

  std::map<std::string, GoldenArray<float>> expected;

 private:
  void read_input(const Goldens& goldens, const std::string& full, const std::string& name) {
    if (name == "input_ids" || name == "token_type_ids" || name == "position_ids") {
      integers_.emplace(name, goldens.i64(full));
    } else if (name.ends_with("_mask") && is_integer(goldens, full)) {
      const GoldenArray<int64_t> mask = goldens.i64(full);
      floats_[name] = {mask.shape, std::vector<float>(mask.values.begin(), mask.values.end())};
    } else {
      floats_.emplace(name, goldens.f32(full));
    }
  }
  static bool is_integer(const Goldens& goldens, const std::string& full) {
    try {
      goldens.i64(full);
      return true;
    } catch (const std::invalid_argument&) {
      return false;
    }
  }

  std::map<std::string, GoldenArray<float>> floats_;
  std::map<std::string, GoldenArray<int64_t>> integers_;
  std::vector<tuwen_array> past_;
};

// The promised accuracy, per number and relative to 1 + |reference|.
constexpr double kF32 = 2e-5;

double distance(std::span<const float> got, std::span<const float> expected) {
  if (got.size() != expected.size()) return HUGE_VAL;
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const auto g = static_cast<double>(got[i]), e = static_cast<double>(expected[i]);
    if (std::isnan(g) && std::isnan(e)) continue;
    const double d = std::abs(g - e) / (1 + std::abs(e));
    worst = std::isnan(d) ? HUGE_VAL : std::max(worst, d);
  }
  return worst;
}

void check_outputs(const Outputs& outputs, const Call& call, double limit) {
  CHECK(outputs.size() == call.expected.size());
  for (const auto& [name, golden] : call.expected) {
    CAPTURE(name);
    const tuwen_array got = outputs[name];
    CHECK(std::vector<int64_t>(got.shape, got.shape + got.rank) == golden.shape);
    CHECK(distance(outputs.values(name), golden.values) <= limit);
  }
}

std::set<std::string> calls_of(const Goldens& goldens) {
  std::set<std::string> calls;
  for (const std::string& name : goldens.names()) calls.insert(name.substr(0, name.find('.')));
  return calls;
}

std::vector<std::string> surface_models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(TUWEN_TEST_DATA "/surface"))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// Runs every golden call of a directory, with the model loaded in the given precision.
void check_directory(const std::string& name, tuwen_precision precision, const tuwen_session_options& how,
                     double limit) {
  const Goldens goldens(surface(name) + "/goldens.safetensors");
  auto options = make<tuwen_load_options>();
  options.precision = precision;
  const Model model = Checkpoint::open(surface(name)).load(&options);
  Session session(model, &how);
  for (const std::string& call_name : calls_of(goldens)) {
    if (call_name == "joint") continue;
    Call call(goldens, call_name);
    CAPTURE(name, call_name);
    if (call_name.starts_with("vision")) {
      check_outputs(vision_forward(session, call.vision(call_name.starts_with("vision_sized"))), call, limit);
    } else {
      check_outputs(text_forward(session, call.text()), call, limit);
    }
  }
}

tuwen_session_options session_options(const char* isa, int32_t threads, int64_t max_rows) {
  auto options = make<tuwen_session_options>();
  options.isa = isa;
  options.threads = threads;
  options.max_rows = max_rows;
  return options;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("forward: everything that the reference makes, on any table, team and slice") {
  const std::string fastest = system_info().isa;
  for (const std::string& name : surface_models()) {
    check_directory(name, TUWEN_F32, session_options("reference", 1, 0), kF32);
    check_directory(name, TUWEN_F32, session_options(fastest.c_str(), 2, 0), kF32);
    check_directory(name, TUWEN_F32, session_options(fastest.c_str(), 3, 1), kF32);
    if (fastest.starts_with("avx512")) check_directory(name, TUWEN_F32, session_options("avx2", 2, 9), kF32);
  }
}

TEST_CASE("forward: bf16 and eight-bit models follow") {
  for (const std::string& name : surface_models()) {
    check_directory(name, TUWEN_BF16, session_options(nullptr, 2, 0), 0.15);
    check_directory(name, TUWEN_INT8, session_options(nullptr, 2, 0), 0.6);
  }
}

TEST_CASE("forward: the joint pass") {
  const Goldens goldens(surface("joint") + "/goldens.safetensors");
  Call text(goldens, "features"), images(goldens, "vision"), both(goldens, "joint");
  const Model model = Checkpoint::open(surface("joint")).load();
  Session session(model);
  tuwen_text_inputs texts = text.text();
  texts.outputs = 0;  // the default
  const JointOutputs out = forward(session, texts, images.vision(false), true);
  CHECK(distance(out.logits_per_image.data, both.expected.at("logits_per_image").values) < 1e-5);
  CHECK(distance(out.logits_per_text.data, both.expected.at("logits_per_text").values) < 1e-5);
  REQUIRE(out.loss.has_value());
  CHECK(*out.loss == Approx(both.expected.at("loss").values[0]).epsilon(1e-5));
  CHECK(out.text.values("last_hidden_state").size() == 2 * 6 * 12);
}

TEST_CASE("forward: agrees with encoding to 1e-5, and is the same in any slice and team to the last bit") {
  Session session(model());
  const tuwen_model_info info = model().info();
  const std::vector<int64_t> ids = {2, 9, 17, 3, 0, 2, 30, 3, 0, 0, 2, 5, 6, 7, 3};
  const std::vector<float> mask = {1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1};
  const std::vector<int32_t> packed = {2, 9, 17, 3, 2, 30, 3, 2, 5, 6, 7, 3};
  const std::vector<int64_t> begins = {0, 4, 7, 12};
  std::vector<float> encoded(3 * static_cast<size_t>(info.embedding_size));
  session.encode_tokens(packed, begins, encoded);
  auto in = make<tuwen_text_inputs>();
  in.input_ids = indices(ids, {3, 5});
  in.attention_mask = array(mask, {3, 5});
  in.outputs = TUWEN_OUTPUT_EMBEDS;
  CHECK(distance(text_forward(session, in).values("embeds"), encoded) == 0);  // the same path
  in.outputs = TUWEN_OUTPUT_EMBEDS | TUWEN_OUTPUT_HIDDEN_STATES | TUWEN_OUTPUT_ATTENTIONS;
  const Outputs whole = text_forward(session, in);
  CHECK(distance(whole.values("embeds"), encoded) < 1e-5);
  for (const int64_t rows : {1, 6, 20}) {
    const tuwen_session_options options = session_options(nullptr, 3, rows);
    Session other(model(), &options);
    const Outputs sliced = text_forward(other, in);
    REQUIRE(sliced.size() == whole.size());
    for (size_t i = 0; i < whole.size(); ++i) {
      const std::string name = whole.at(i).name;
      CHECK(std::ranges::equal(sliced.values(name), whole.values(name)));
    }
  }
}

TEST_CASE("forward: what is wrong with a text's inputs is said by the argument's name") {
  const Model loaded = Checkpoint::open(surface("encoder")).load();
  Session session(loaded);
  const std::vector<int64_t> ids = {1, 2, 3, 4, 5, 6}, types = {0, 0, 0, 0, 0, 2}, far = {0, 1, 2, 3, 4, 9};
  std::vector<float> embeds(2 * 3 * 12, 0.5f), ones(64, 1.0f), nan(6, 1.0f);
  nan[4] = NAN;
  const auto message = [&](const std::function<void(tuwen_text_inputs&)>& change) {
    auto in = make<tuwen_text_inputs>();
    in.input_ids = indices(ids, {2, 3});
    change(in);
    return message_of([&] { text_forward(session, in); });
  };
  const auto says = [](const std::string& part) { return Catch::Matchers::Contains(part); };
  CHECK(message([](auto&) {}) == "no error");
  CHECK_THAT(message([](auto& in) { in.input_ids = {}; }), says("input_ids") && says("neither"));
  CHECK_THAT(message([&](auto& in) {
               in.inputs_embeds = array(embeds, {2, 3, 12});
             }),
             says("input_ids") && says("both"));
  CHECK_THAT(message([&](auto& in) { in.input_ids = indices(ids, {6}); }), says("input_ids") && says("[B, L]"));
  CHECK_THAT(message([&](auto& in) { in.input_ids = indices({}, {2, 0}); }), says("input_ids") && says("1 to 9"));
  const std::vector<int64_t> many(20, 1), bad = {1, 2, 3, 4, 17, 6}, negative = {1, -1, 3, 4, 5, 6};
  CHECK_THAT(message([&](auto& in) { in.input_ids = indices(many, {2, 10}); }), says("input_ids") && says("found 10"));
  CHECK_THAT(message([&](auto& in) {
               in.input_ids = indices(bad, {2, 3});
             }),
             says("input_ids[1, 1]") && says("0 to 16"));
  CHECK_THAT(message([&](auto& in) { in.input_ids = indices(negative, {2, 3}); }), says("input_ids[0, 1]"));
  CHECK_THAT(message([&](auto& in) { in.token_type_ids = indices(types, {2, 3}); }), says("token_type_ids[1, 2]"));
  CHECK_THAT(message([&](auto& in) { in.token_type_ids = indices(types, {3, 2}); }), says("token_type_ids"));
  CHECK_THAT(message([&](auto& in) { in.position_ids = indices(far, {2, 3}); }), says("position_ids[1, 2]"));
  CHECK_THAT(message([&](auto& in) {
               in.input_ids = {};
               in.inputs_embeds = array(std::span(embeds).first(66), {2, 3, 11});
             }),
             says("inputs_embeds") && says("12"));
  CHECK_THAT(message([&](auto& in) {
               in.attention_mask = array(std::span(ones).first(8), {2, 4});
             }),
             says("attention_mask") && says("[2, 4]"));
  CHECK_THAT(message([&](auto& in) { in.attention_mask = array(std::span(ones).first(3), {3}); }),
             says("attention_mask"));
  CHECK_THAT(message([&](auto& in) {
               in.attention_mask = array(std::span(ones).first(12), {2, 1, 2, 3});
             }),
             says("attention_mask"));
  CHECK_THAT(message([&](auto& in) { in.attention_mask = array(nan, {2, 3}); }), says("attention_mask") && says("NaN"));
  CHECK_THAT(message([&](auto& in) { in.head_mask = array(std::span(ones).first(2), {2}); }), says("head_mask"));
  CHECK_THAT(message([&](auto& in) { in.head_mask = array(std::span(ones).first(9), {3, 3}); }), says("head_mask"));
  CHECK_THAT(message([&](auto& in) { in.outputs = TUWEN_OUTPUT_FEATURES; }), says("outputs"));
  CHECK_THAT(message([&](auto& in) { in.outputs = 1u << 20; }), says("outputs"));
  CHECK_THAT(message([&](auto& in) { in.timeout_seconds = -1; }), says("timeout_seconds"));
  const tuwen_array cache = array(std::span(ones).first(24), {2, 3, 1, 4});
  CHECK_THAT(message([&](auto& in) { in.past_key_values = &cache, in.past_key_value_count = 1; }),
             says("past_key_values") && says("no decoder"));
  auto vision = make<tuwen_vision_inputs>();
  CHECK_THAT(message_of([&] { vision_forward(session, vision); }), says("image tower"));
  CHECK_THAT(message_of([&] {
               session.encode_tokens(std::vector<int32_t>{1}, std::vector<int64_t>{0, 1}, {});
             }),
             says("stands alone"));
}

TEST_CASE("forward: caches and encoders of another model are refused") {
  const Model loaded = Checkpoint::open(surface("cross_attention")).load();
  Session session(loaded);
  const std::vector<int64_t> ids = {1, 2};
  const std::vector<float> states(2 * 3 * 12, 0.25f);
  const auto base = [&] {
    auto in = make<tuwen_text_inputs>();
    in.input_ids = indices(ids, {2, 1});
    return in;
  };
  auto first = base();
  first.outputs = TUWEN_OUTPUT_CACHE;
  first.encoder_hidden_states = array(states, {2, 3, 12});
  const Outputs made = text_forward(session, first);
  const std::vector<tuwen_array> good = made.past();
  REQUIRE(good.size() == 8);
  const auto message = [&](std::vector<tuwen_array> past, bool with_encoder) {
    auto in = base();
    if (with_encoder) in.encoder_hidden_states = array(states, {2, 3, 12});
    in.past_key_values = past.data();
    in.past_key_value_count = past.size();
    return message_of([&] { text_forward(session, in); });
  };
  const auto says = [](const std::string& part) { return Catch::Matchers::Contains(part); };
  CHECK(message(good, true) == "no error");
  CHECK(message(good, false) == "no error");
  CHECK_THAT(message({good.begin(), good.begin() + 3}, true), says("past_key_values") && says("4 or 8"));
  CHECK_THAT(message({good.begin(), good.begin() + 4}, true), says("past_key_values") && says("encoder_hidden_states"));
  std::vector<tuwen_array> wrong = good;
  wrong[5].shape[1] = 2;
  CHECK_THAT(message(wrong, true), says("past_key_values[5]"));
  wrong = good;
  wrong[0].rank = 3;
  CHECK_THAT(message(wrong, true), says("past_key_values[0]"));
  auto in = base();
  in.encoder_hidden_states = array(std::span(states).first(66), {2, 3, 11});
  CHECK_THAT(message_of([&] { text_forward(session, in); }), says("encoder_hidden_states"));

  const Model plain = Checkpoint::open(surface("decoder")).load();
  Session other(plain);
  in = base();
  in.encoder_hidden_states = array(states, {2, 3, 12});
  CHECK_THAT(message_of([&] { text_forward(other, in); }),
             says("encoder_hidden_states") && says("add_cross_attention"));
}

TEST_CASE("forward: pictures of another size need to be asked for") {
  const Model loaded = Checkpoint::open(surface("vision_alone")).load();
  Session session(loaded);
  const std::vector<float> pixels(3 * 9 * 9, 0.5f);
  const auto message = [&](std::initializer_list<int64_t> shape, bool interpolate) {
    auto in = make<tuwen_vision_inputs>();
    size_t count = 1;
    for (const int64_t d : shape) count *= static_cast<size_t>(d);
    in.pixel_values = array(std::span(pixels).first(count), shape);
    in.interpolate_pos_encoding = interpolate;
    return message_of([&] { vision_forward(session, in); });
  };
  const auto says = [](const std::string& part) { return Catch::Matchers::Contains(part); };
  CHECK(message({1, 3, 8, 8}, false) == "no error");
  CHECK_THAT(message({1, 3, 9, 8}, false), says("pixel_values") && says("[1, 3, 9, 8]"));
  CHECK(message({1, 3, 9, 8}, true) == "no error");
  CHECK_THAT(message({1, 3, 2, 8}, true), says("pixel_values"));
  CHECK_THAT(message({1, 1, 8, 8}, true), says("pixel_values"));
  CHECK_THAT(message({0, 3, 8, 8}, false), says("pixel_values"));
  CHECK_THAT(message({3, 8, 8}, false), says("pixel_values"));
  auto in = make<tuwen_vision_inputs>();
  CHECK_THAT(message_of([&] { vision_forward(session, in); }), says("pixel_values"));
}

}  // namespace tuwen::test
