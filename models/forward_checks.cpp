// What may be wrong with the inputs of a forward pass, each said by the name of the argument.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>

#include "core/checked_math.h"
#include "core/error.h"
#include "io/stored_tensor.h"
#include "models/forward.h"

namespace tw {
namespace {

[[noreturn]] void invalid(const std::string& field, const std::string& expected, const std::string& found,
                          const std::string& note = {}) {
  throw Error(ErrorCode::invalid_argument, {.field = field, .expected = expected, .found = found, .note = note});
}

template <class T>
std::string shape_of(const Given<T>& a) {
  return shape_text({a.shape, a.shape + a.rank});
}

// One dimension of an array: what it is called, the size that fits, and whether 1 does too.
struct Dim {
  const char* letter;
  int64_t size;  // -1: any
  bool or_one = false;
};

template <class T>
bool has_shape(const Given<T>& a, std::initializer_list<Dim> dims) {
  if (a.rank != static_cast<int>(dims.size())) return false;
  int i = 0;
  for (const Dim& d : dims) {
    const int64_t n = a.shape[i++];
    if (n < 0 || (d.size >= 0 && n != d.size && !(d.or_one && n == 1))) return false;
  }
  return true;
}

std::string text_of(std::initializer_list<Dim> dims) {
  std::string text = "[";
  for (const Dim& d : dims) {
    if (text.size() > 1) text += ", ";
    text += d.size < 0 ? d.letter : std::to_string(d.size);
    if (d.or_one && d.size != 1) text += " or 1";
  }
  return text + "]";
}

template <class T>
int64_t count_of(const Given<T>& a, const std::string& name) {
  const std::optional<int64_t> count = checked_product({a.shape, static_cast<size_t>(a.rank)});
  if (!count || *count > (int64_t{1} << 40)) invalid(name, "a size that fits into memory", shape_of(a));
  if (a.data == nullptr && *count > 0) invalid(name, "a pointer", "NULL");
  return *count;
}

void check_finite(const Given<float>& a, const std::string& name) {
  const int64_t count = count_of(a, name);
  for (int64_t i = 0; i < count; ++i) {
    if (std::isfinite(a.data[i])) continue;
    throw Error(ErrorCode::non_finite, {.field = name,
                                        .expected = "finite values",
                                        .found = std::string(std::isnan(a.data[i]) ? "NaN" : "infinity") +
                                                 " at flat index " + std::to_string(i)});
  }
}

void check_shape(const Given<float>& a, const std::string& name, std::initializer_list<Dim> dims) {
  if (!has_shape(a, dims)) invalid(name, text_of(dims), shape_of(a));
  check_finite(a, name);
}

// [items, length] indices below `limit`; one row may stand for all.
std::vector<int32_t> indices(const Given<int64_t>& a, const std::string& name, int64_t items, int64_t length,
                             int64_t limit, bool one_row) {
  const std::initializer_list<Dim> dims = {{"B", items, one_row}, {"L", length}};
  if (!has_shape(a, dims)) invalid(name, text_of(dims), shape_of(a));
  count_of(a, name);
  std::vector<int32_t> out(static_cast<size_t>(items * length));
  for (int64_t b = 0; b < items; ++b) {
    for (int64_t t = 0; t < length; ++t) {
      const int64_t value = a.data[(a.shape[0] == 1 ? 0 : b) * length + t];
      if (value < 0 || value >= limit) {
        invalid(name + "[" + std::to_string(b) + ", " + std::to_string(t) + "]", "0 to " + std::to_string(limit - 1),
                std::to_string(value));
      }
      out[static_cast<size_t>(b * length + t)] = static_cast<int32_t>(value);
    }
  }
  return out;
}

// A mask of rank 2 or 3, checked.
MaskBias checked_mask(const Given<float>& mask, const std::string& name, int64_t items, int64_t queries, int64_t keys) {
  const std::initializer_list<Dim> flat = {{"B", items, true}, {"K", keys, true}},
                                   square = {{"B", items, true}, {"L", queries, true}, {"K", keys, true}};
  if (!has_shape(mask, flat) && !has_shape(mask, square))
    invalid(name, text_of(flat) + " or " + text_of(square), shape_of(mask));
  check_finite(mask, name);
  return mask_bias(mask, items, queries, keys);
}

}  // namespace

MaskBias mask_bias(const Given<float>& mask, int64_t items, int64_t queries, int64_t keys) {
  const int64_t dim[3] = {mask.shape[0], mask.rank == 3 ? mask.shape[1] : 1, mask.shape[mask.rank - 1]};
  const int64_t count = dim[0] * dim[1] * dim[2];
  if (std::all_of(mask.data, mask.data + count, [](float m) { return m == 1.0f; })) return {};
  const int64_t rows = dim[1] == 1 ? 1 : queries;
  MaskBias bias{std::vector<float>(static_cast<size_t>(items * rows * keys)), rows * keys, rows == 1 ? 0 : keys};
  const auto at = [](int64_t i, int64_t size) { return size == 1 ? 0 : i; };
  float* out = bias.values.data();
  for (int64_t b = 0; b < items; ++b)
    for (int64_t q = 0; q < rows; ++q)
      for (int64_t k = 0; k < keys; ++k)
        *out++ = (1.0f - mask.data[(at(b, dim[0]) * dim[1] + at(q, dim[1])) * dim[2] + at(k, dim[2])]) * -FLT_MAX;
  return bias;
}

TextInputs::TextInputs(const TextForward& g, const Bert& model) {
  const TextConfig& c = model.config();
  const int64_t layers = c.num_hidden_layers, width = c.hidden_size, positions = c.max_position_embeddings;
  if (static_cast<bool>(g.input_ids) == static_cast<bool>(g.inputs_embeds)) {
    invalid("input_ids", "either input_ids or inputs_embeds", g.input_ids ? "both" : "neither");
  }
  if (g.input_ids) {
    if (g.input_ids.rank != 2) invalid("input_ids", "[B, L]", shape_of(g.input_ids));
    items = g.input_ids.shape[0], length = g.input_ids.shape[1];
  } else {
    check_shape(g.inputs_embeds, "inputs_embeds", {{"B", -1}, {"L", -1}, {"H", width}});
    items = g.inputs_embeds.shape[0], length = g.inputs_embeds.shape[1];
  }
  const std::string first = g.input_ids ? "input_ids" : "inputs_embeds";

  // The cache: its length is that of the first array, and every layer agrees.
  past = 0, past_has_encoder = false, has_encoder = c.is_decoder && g.encoder_hidden_states;
  const auto given_past = static_cast<int64_t>(g.past_key_values.size());
  if (given_past > 0) {
    if (!c.is_decoder) invalid("past_key_values", "none, as the model is no decoder", std::to_string(given_past));
    if (given_past != 2 * layers && given_past != 4 * layers) {
      invalid("past_key_values", std::to_string(2 * layers) + " or " + std::to_string(4 * layers) + " arrays",
              std::to_string(given_past));
    }
    past = g.past_key_values[0].rank == 4 ? g.past_key_values[0].shape[2] : -1;
    if (past < 0) invalid("past_key_values[0]", "[B, A, P, d]", shape_of(g.past_key_values[0]));
    past_has_encoder = given_past == 4 * layers;
  }
  if (items < 0 || length < 1 || length > positions - past) {
    throw Error(ErrorCode::invalid_argument, {.field = first,
                                              .expected = "1 to " + std::to_string(positions) + " tokens",
                                              .found = std::to_string(length + past),
                                              .note = past > 0 ? std::to_string(past) + " of them cached" : ""});
  }
  if (c.chunk_size_feed_forward > 0 && length % c.chunk_size_feed_forward != 0) {
    invalid(first, "a multiple of chunk_size_feed_forward " + std::to_string(c.chunk_size_feed_forward) + " tokens",
            std::to_string(length));
  }

  if (g.input_ids) {
    ids = indices(g.input_ids, "input_ids", items, length, c.vocab_size, false);
  } else {
    ids.resize(static_cast<size_t>(items * length));
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  }
  if (g.token_type_ids) {
    type_ids = indices(g.token_type_ids, "token_type_ids", items, length, c.type_vocab_size, true);
  } else {
    type_ids.assign(ids.size(), 0);
  }
  if (g.position_ids) {
    position_ids = indices(g.position_ids, "position_ids", items, length, positions, true);
  } else {
    position_ids.resize(ids.size());
    for (size_t i = 0; i < ids.size(); ++i)
      position_ids[i] = static_cast<int32_t>(past + static_cast<int64_t>(i) % length);
  }

  causal = c.is_decoder && g.attention_mask.rank != 3;
  if (g.attention_mask) {
    // The reference makes a decoder's mask from a square of queries and what the given one has more: one column alone
    // stands for all keys only where the square is all there is.
    const bool one_column = g.attention_mask.rank == 2 && g.attention_mask.shape[1] == 1 && keys() > 1;
    if (one_column && c.is_decoder && past > 0 && length > 1)
      invalid("attention_mask", text_of({{"B", items, true}, {"K", keys()}}), shape_of(g.attention_mask));
    mask = checked_mask(g.attention_mask, "attention_mask", items, length, keys());
  }
  if (g.head_mask) {
    const int64_t heads = c.num_attention_heads;
    for (int64_t i = 0; i < layers; ++i) {
      if (model.heads(i) != heads)
        throw Error(ErrorCode::unsupported, {.field = "head_mask", .note = "the model has pruned heads"});
    }
    const std::initializer_list<Dim> one = {{"A", heads}}, each = {{"N", layers}, {"A", heads}};
    if (!has_shape(g.head_mask, one) && !has_shape(g.head_mask, each))
      invalid("head_mask", text_of(one) + " or " + text_of(each), shape_of(g.head_mask));
    check_finite(g.head_mask, "head_mask");
    for (int64_t i = 0; i < layers; ++i) {
      const float* row = g.head_mask.data + (g.head_mask.rank == 2 ? i * heads : 0);
      head_mask.insert(head_mask.end(), row, row + heads);
    }
  }

  encoder_length = 0;
  if (has_encoder) {
    if (!c.add_cross_attention) {
      invalid("encoder_hidden_states", "none, as the configuration has no add_cross_attention",
              shape_of(g.encoder_hidden_states));
    }
    check_shape(g.encoder_hidden_states, "encoder_hidden_states", {{"B", items}, {"E", -1}, {"H", width}});
    encoder_length = g.encoder_hidden_states.shape[1];
    if (encoder_length < 1 || encoder_length > 65536)
      invalid("encoder_hidden_states", "1 to 65536 encoder tokens", shape_of(g.encoder_hidden_states));
    if (g.encoder_attention_mask)
      encoder_mask = checked_mask(g.encoder_attention_mask, "encoder_attention_mask", items, length, encoder_length);
    if (given_past > 0 && !past_has_encoder) {
      invalid("past_key_values", std::to_string(4 * layers) + " arrays, as encoder_hidden_states are given",
              std::to_string(given_past));
    }
  }
  for (int64_t i = 0; i < given_past; ++i) {
    const int64_t of_layer = given_past / layers;
    const bool cross = i % of_layer >= 2;
    if (cross && !has_encoder) continue;  // not looked at
    const Dim heads{"A", cross ? c.num_attention_heads : model.heads(i / of_layer)};
    check_shape(g.past_key_values[static_cast<size_t>(i)], "past_key_values[" + std::to_string(i) + "]",
                {{"B", items}, heads, {"P", cross ? encoder_length : past}, {"d", c.head_dim()}});
  }
}

std::optional<PlainTexts> plain_texts(const TextForward& g, const TextInputs& in, const Bert& model) {
  const bool embeddings = g.wanted.only(&Wanted::features) || g.wanted.only(&Wanted::embeds);
  if (!embeddings || g.inputs_embeds || g.head_mask || in.past > 0 || in.has_encoder || in.items == 0) return {};
  if (g.attention_mask.rank == 3) return {};
  PlainTexts out;
  for (int64_t b = 0; b < in.items; ++b) {
    bool gap = false;
    for (int64_t t = 0; t < in.length; ++t) {
      const float bias = in.mask.data() == nullptr ? 0.0f : in.mask.data()[b * in.mask.item + t];
      const bool seen = bias == 0.0f;
      if (!seen && bias != -FLT_MAX) return {};        // between: weighs
      if (t == 0 && !seen) return {};                  // the token that is asked for is asked anyhow
      if (seen && gap && model.relative()) return {};  // distances would shrink
      gap |= !seen;
      if (!seen) continue;
      const auto at = static_cast<size_t>(b * in.length + t);
      out.ids.push_back(in.ids[at]);
      out.type_ids.push_back(in.type_ids[at]);
      out.position_ids.push_back(in.position_ids[at]);
    }
    out.offsets.push_back(static_cast<int64_t>(out.ids.size()));
  }
  return out;
}

void check_pixels(const VisionForward& g, const VisionConfig& c) {
  if (!g.pixel_values) invalid("pixel_values", "[B, C, height, width]", "nothing");
  const int64_t side = c.image_size;
  if (!g.interpolate) {
    check_shape(g.pixel_values, "pixel_values", {{"B", -1}, {"C", c.num_channels}, {"height", side}, {"width", side}});
  } else {
    constexpr int64_t kMostPatches = 4096;
    const std::initializer_list<Dim> dims = {{"B", -1}, {"C", c.num_channels}, {"height", -1}, {"width", -1}};
    if (!has_shape(g.pixel_values, dims)) invalid("pixel_values", text_of(dims), shape_of(g.pixel_values));
    const int64_t rows = g.pixel_values.shape[2] / c.patch_size, columns = g.pixel_values.shape[3] / c.patch_size;
    if (rows < 1 || columns < 1 || rows > kMostPatches || columns > kMostPatches / rows) {
      invalid("pixel_values",
              "pictures of 1 to " + std::to_string(kMostPatches) + " patches of " + std::to_string(c.patch_size) +
                  " pixels",
              shape_of(g.pixel_values));
    }
    check_finite(g.pixel_values, "pixel_values");
  }
  if (g.pixel_values.shape[0] < 1) invalid("pixel_values", "a picture at least", "none");
}

}  // namespace tw
