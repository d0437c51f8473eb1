// One model of tests/data/models with its goldens, as the inputs of a Session.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/session.h"
#include "tests/support/goldens.h"

namespace tw::test {

// Names of the models, in alphabetical order.
inline std::vector<std::string> golden_models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(TUWEN_TEST_DATA "/models"))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// Token rows of padded [texts, S] arrays, back to back without the padding.
struct PackedInputs {
  std::vector<int32_t> ids, type_ids, position_ids;  // position_ids: only where the goldens move them, else empty
  std::vector<int64_t> offsets = {0};

  TextBatch batch() const { return {ids, offsets, type_ids, {}}; }
  TextBatch moved() const { return {ids, offsets, type_ids, position_ids}; }
  int64_t texts() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

struct GoldenModel {
  std::string name;
  std::filesystem::path directory;
  Goldens goldens;
  std::shared_ptr<const ChineseClip> model;
  PackedInputs texts;
  std::vector<float> pixels;
  int64_t images = 0;

  explicit GoldenModel(const std::string& model_name)
      : name(model_name),
        directory(std::filesystem::path(TUWEN_TEST_DATA "/models") / model_name),
        goldens(directory / "goldens.safetensors"),
        model(ChineseClip::load(Checkpoint::open(directory), read_config(directory))) {
    const GoldenArray<int64_t> ids = goldens.i64("input_ids"), mask = goldens.i64("attention_mask"),
                               types = goldens.i64("token_type_ids");
    const bool moved = goldens.has("moved.position_ids");
    const GoldenArray<int64_t> positions = moved ? goldens.i64("moved.position_ids") : GoldenArray<int64_t>{};
    for (int64_t text = 0; text < ids.dim(0); ++text) {
      for (int64_t t = 0; t < ids.dim(1); ++t) {
        const auto at = static_cast<size_t>(text * ids.dim(1) + t);
        if (mask.values[at] == 0) continue;
        texts.ids.push_back(static_cast<int32_t>(ids.values[at]));
        texts.type_ids.push_back(static_cast<int32_t>(types.values[at]));
        if (moved) texts.position_ids.push_back(static_cast<int32_t>(positions.values[static_cast<size_t>(t)]));
      }
      texts.offsets.push_back(static_cast<int64_t>(texts.ids.size()));
    }
    GoldenArray<float> pixel_values = goldens.f32("pixel_values");
    images = pixel_values.dim(0);
    pixels = std::move(pixel_values.values);
  }

  ImageBatch image_batch() const { return {.pixels = pixels.data(), .count = images}; }
  int64_t width() const { return model->embedding_width(); }
};

}  // namespace tw::test
