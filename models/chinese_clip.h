// The joint model: two towers, two projections, one temperature.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "models/bert.h"
#include "models/vit.h"

namespace tw {

enum class Towers { both, text, image };

// Or one tower alone, where the configuration is of one. Immutable after loading, but for the copies on devices that it
// keeps; share it between Sessions and threads.
class ChineseClip {
 public:
  // Reads and packs what `towers` needs. Throws missing_tensor or shape_mismatch with every difference between the
  // checkpoint and the configuration, limit_exceeded beyond the memory budget, non_finite for NaN or infinite weights,
  // unsupported for configurations that this runtime does not run, and what reading throws.
  static std::shared_ptr<const ChineseClip> load(const Checkpoint& checkpoint, const ChineseClipConfig& config,
                                                 const LoadOptions& options = {}, Towers towers = Towers::both);

  // The same checks without reading a weight: the bytes that the packed weights would take.
  static int64_t measure(const Checkpoint& checkpoint, const ChineseClipConfig& config, const LoadOptions& options = {},
                         Towers towers = Towers::both);

  const ChineseClipConfig& config() const { return config_; }
  const Bert* text() const { return text_ ? &*text_ : nullptr; }  // null if not loaded
  const Vit* vision() const { return vision_ ? &*vision_ : nullptr; }
  const Linear& text_projection() const { return text_projection_; }    // [J, H]
  const Linear& image_projection() const { return image_projection_; }  // [J, D]
  // A tower that stands alone has no projections; its first tokens' states take the place of embeddings.
  bool has_embeddings() const { return config_.kind == ConfigKind::joint; }
  int64_t embedding_width() const;                    // J, or the tower's width
  float logit_scale() const { return logit_scale_; }  // exp of the stored parameter, ~100 in published models
  Precision precision() const { return precision_; }
  Plan plan() const { return plan_; }
  // Of what products read and attention sees on the CPU; on a device FP8 products read E4M3.
  DType activation_type() const {
    return precision_ == Precision::f32 ? DType::f32 : precision_ == Precision::f16 ? DType::f16 : DType::bf16;
  }
  int64_t weight_bytes() const { return weight_bytes_; }

  // The same model with its weights in a device's memory: made by the first call, kept until this one is gone. Throws
  // unsupported for eight-bit models and those with weights for Strassen products, and as DeviceScope and Buffer; then
  // nothing is kept. Any thread.
  std::shared_ptr<const ChineseClip> on_device(const Device& device) const;
  // Whether products of it on that device may be by the device's library, which is looked for: those in bf16 and f16,
  // where the plan is fast.
  bool may_use_library(const Device& device) const;
  // On a device, where the plan is fast: who computes what. Null elsewhere.
  ProductChoices* products() const { return products_.get(); }

  // Calls body(Linear) for the products of every block of the towers that are loaded.
  template <class Body>
  void for_each_linear(Body body) const {
    if (text_) text_->for_each_linear(body);
    if (vision_) vision_->for_each_linear(body);
  }

 private:
  ChineseClip(const ChineseClipConfig& config, Towers towers);
  // Puts eight-bit or FP8 products in the place of f32 ones, scaled by what a calibration run shows.
  void quantize(const LoadOptions& options);
  // Whether its products there are to be by the device's library, wherever that is found.
  bool asks_for_library(const Device& device) const;
  void upload(const ChineseClip& from, const Device& device);
  // Binds everything once and checks it against the checkpoint.
  void check_fit(WeightBinder& binder, const LoadOptions& options);
  void bind(WeightBinder& binder);

  ChineseClipConfig config_;
  std::unique_ptr<ProductChoices> products_;
  std::optional<Bert> text_;
  std::optional<Vit> vision_;
  Linear text_projection_, image_projection_;
  float logit_scale_ = 0;
  Precision precision_ = Precision::f32;
  Plan plan_ = Plan::exact;
  int64_t weight_bytes_ = 0;

  struct DeviceCopy {
    DeviceHandle device;
    const DeviceTable* table;
    const BlasLtLibrary& (*blaslt)();
    std::shared_ptr<const ChineseClip> model;
  };
  mutable std::mutex making_copies_;
  mutable std::vector<DeviceCopy> copies_;
};

// Logits and what is computed from them. Plain functions over dense row-major arrays; no state, any thread.
//   logits_per_text [texts, images] = scale * text_embeds . image_embeds; logits_per_image is its transpose.

// out [columns, rows] = in [rows, columns] turned.
void transpose(std::span<float> out, std::span<const float> in, int64_t rows, int64_t columns);

// Softmax over each row.
void probabilities(std::span<float> out, std::span<const float> logits, int64_t rows, int64_t columns);

// The symmetric contrastive loss of [n, n] logits: half of the cross-entropies along both directions with the diagonal
// as the target. Radford et al. 2021, arXiv:2103.00020, figure 3.
float contrastive_loss(std::span<const float> logits_per_text, int64_t n);

}  // namespace tw
