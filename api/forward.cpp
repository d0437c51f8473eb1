// Forward passes: the C structs as the models' inputs, and outputs by name.
#include <algorithm>
#include <chrono>
#include <vector>

#include "api/boundary.h"
#include "api/handles.h"
#include "api/occupied.h"

namespace tw {
namespace {

Wanted read_wanted(uint32_t outputs) {
  constexpr uint32_t kAll = 2 * TUWEN_OUTPUT_EMBEDS - 1;
  if (outputs > kAll) throw_argument("inputs.outputs", "a sum of TUWEN_OUTPUT_...", std::to_string(outputs));
  if (outputs == 0) outputs = TUWEN_OUTPUT_DEFAULT;
  const auto wants = [outputs](uint32_t flag) { return (outputs & flag) != 0; };
  return {.last_hidden_state = wants(TUWEN_OUTPUT_LAST_HIDDEN_STATE),
          .pooler = wants(TUWEN_OUTPUT_POOLER),
          .hidden_states = wants(TUWEN_OUTPUT_HIDDEN_STATES),
          .attentions = wants(TUWEN_OUTPUT_ATTENTIONS),
          .cache = wants(TUWEN_OUTPUT_CACHE),
          .features = wants(TUWEN_OUTPUT_FEATURES),
          .embeds = wants(TUWEN_OUTPUT_EMBEDS)};
}

template <class T, class Array>
Given<T> read_array(const Array& array, const char* name, int most) {
  check_reserved(array.reserved, name);
  if (array.rank < 0 || array.rank > most) {
    throw_argument(std::string(name) + ".rank", "0 to " + std::to_string(most), std::to_string(array.rank));
  }
  if (array.rank == 0 && array.data != nullptr) throw_argument(std::string(name) + ".rank", "1 or more", "0");
  Given<T> given{.data = array.data, .rank = array.rank};
  std::copy(array.shape, array.shape + array.rank, given.shape);
  return given;
}
Given<float> read_array(const tuwen_array& array, const char* name) { return read_array<float>(array, name, 4); }
Given<int64_t> read_array(const tuwen_indices& array, const char* name) { return read_array<int64_t>(array, name, 2); }

// One forward call: holds the session and ends in time.
class ForwardCall {
 public:
  ForwardCall(tuwen_session* session, double timeout_seconds)
      : session_(not_null(session, "session")), occupied_(session_.busy) {
    if (!(timeout_seconds >= 0)) {
      throw_argument("inputs.timeout_seconds", "0 or more", std::to_string(timeout_seconds));
    }
    session_.cancel.store(false, std::memory_order_relaxed);
    options_.cancel = &session_.cancel;
    constexpr double kLongest = 1e8;  // seconds; three years
    if (timeout_seconds > 0) {
      const std::chrono::duration<double> limit(std::min(timeout_seconds, kLongest));
      options_.deadline = Stop::Clock::now() + std::chrono::duration_cast<Stop::Clock::duration>(limit);
    }
  }
  template <class Inputs>
  tuwen_outputs* run(const Inputs& inputs) const {
    return new tuwen_outputs{session_.session.forward(inputs, options_)};
  }

 private:
  tuwen_session& session_;
  Occupied occupied_;
  ForwardOptions options_;
};

tuwen_array view_of(const Outputs::Array& output) {
  tuwen_array view = {};
  view.name = output.name.c_str();
  view.data = output.values.as<float>();
  view.rank = static_cast<int32_t>(output.shape.size());
  std::copy(output.shape.begin(), output.shape.end(), view.shape);
  return view;
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_text_forward(tuwen_session* session, const tuwen_text_inputs* inputs, tuwen_outputs** outputs) {
  return guarded([&] {
    const tuwen_text_inputs i = read_options(&not_null(inputs, "inputs"), "inputs");
    not_null(outputs, "outputs");
    TextForward text{.wanted = read_wanted(i.outputs),
                     .input_ids = read_array(i.input_ids, "input_ids"),
                     .token_type_ids = read_array(i.token_type_ids, "token_type_ids"),
                     .position_ids = read_array(i.position_ids, "position_ids"),
                     .inputs_embeds = read_array(i.inputs_embeds, "inputs_embeds"),
                     .attention_mask = read_array(i.attention_mask, "attention_mask"),
                     .head_mask = read_array(i.head_mask, "head_mask"),
                     .encoder_hidden_states = read_array(i.encoder_hidden_states, "encoder_hidden_states"),
                     .encoder_attention_mask = read_array(i.encoder_attention_mask, "encoder_attention_mask"),
                     .past_key_values = {}};
    constexpr size_t kMostPast = 4096;
    if (i.past_key_value_count > kMostPast) {
      throw_argument("past_key_values", "at most 4096 arrays", std::to_string(i.past_key_value_count));
    }
    if (i.past_key_value_count > 0) not_null(i.past_key_values, "past_key_values");
    std::vector<Given<float>> past;
    for (size_t n = 0; n < i.past_key_value_count; ++n)
      past.push_back(read_array(i.past_key_values[n], ("past_key_values[" + std::to_string(n) + "]").c_str()));
    text.past_key_values = past;
    *outputs = ForwardCall(session, i.timeout_seconds).run(text);
  });
}

tuwen_status tuwen_vision_forward(tuwen_session* session, const tuwen_vision_inputs* inputs, tuwen_outputs** outputs) {
  return guarded([&] {
    const tuwen_vision_inputs i = read_options(&not_null(inputs, "inputs"), "inputs");
    not_null(outputs, "outputs");
    check_reserved(i.reserved, "inputs");
    const bool interpolate = checked_choice(i.interpolate_pos_encoding, 1, "inputs.interpolate_pos_encoding") == 1;
    const VisionForward vision{.wanted = read_wanted(i.outputs),
                               .pixel_values = read_array(i.pixel_values, "pixel_values"),
                               .interpolate = interpolate};
    *outputs = ForwardCall(session, i.timeout_seconds).run(vision);
  });
}

size_t tuwen_outputs_count(const tuwen_outputs* outputs) {
  return outputs == nullptr ? 0 : outputs->outputs.arrays().size();
}

tuwen_status tuwen_outputs_at(const tuwen_outputs* outputs, size_t index, tuwen_array* array) {
  return guarded([&] {
    const auto& arrays = not_null(outputs, "outputs").outputs.arrays();
    not_null(array, "array");
    if (index >= arrays.size())
      throw_argument("index", "less than " + std::to_string(arrays.size()), std::to_string(index));
    *array = view_of(arrays[index]);
  });
}

tuwen_status tuwen_outputs_get(const tuwen_outputs* outputs, const char* name, tuwen_array* array) {
  return guarded([&] {
    const Outputs& all = not_null(outputs, "outputs").outputs;
    not_null(array, "array");
    const Outputs::Array* found = all.find(&not_null(name, "name"));
    if (found == nullptr) throw_argument("name", "the name of an output that was made", printable(name));
    *array = view_of(*found);
  });
}

void tuwen_outputs_free(tuwen_outputs* outputs) { delete outputs; }
