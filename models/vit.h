// The image tower: a vision transformer.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/arena.h"
#include "models/capture.h"
#include "models/config.h"
#include "models/stop.h"
#include "models/weight_upload.h"
#include "models/weights.h"

namespace tw {

struct VitBlock {
  LayerNorm norm1;
  Linear qkv;  // queries, keys, values; each padded to whole strips
  Linear out;
  LayerNorm norm2;
  Linear fc1, fc2;
};

// Activations of at most R rows (tokens of all images of a slice), D wide; Dp is D in whole strips. What products read
// and attention sees has the model's activation type.
struct VitScratch {
  Tensor x;        // [R, D]      residual stream, f32
  Tensor y;        // [R, D]      what a product reads
  Tensor a;        // [R, D]      attention's result; y where that has its type
  Tensor q;        // [R, Dp]
  Tensor kv;       // [R, 2 Dp]
  Tensor h;        // [R, M]      inside of the MLP
  Tensor patches;  // [R, K]      before the first block: memory of h, where it has h's type
  Tensor pooled;   // [R / T, D]  class tokens on their way out, f32

  // `images`: how many there are at most in these rows. `attention`: what it works in; f32 for the full driver.
  static VitScratch plan(Arena& arena, const VisionConfig& config, int64_t rows, int64_t images, DType type,
                         DType attention);
};

// What the full driver is asked besides the plain one: `images` pictures of T tokens; R = images T rows.
struct VitRequest {
  int64_t images, tokens;
  std::span<const Sequence> sequences;    // [images]
  const float* positions;                 // [T, D], row 0 with the class embedding; null: the model's own
  std::span<float* const> attentions;     // [layers] each [images, heads, T, T]; null where not wanted
  std::span<float* const> hidden_states;  // [layers + 1] each [R, D]; null where not wanted
  float* last_hidden_state;               // [R, D] or null
};

// Where each image's rows are: as one sequence that asks itself, and as a class token that asks the image.
struct ImageRows {
  std::span<const Sequence> every_token;  // [images] {i T, T, i T, T}
  std::span<const Sequence> class_token;  // [images] {i, 1, i T, T}
};

// Immutable after loading; any number of Sessions may use one at once.
class Vit {
 public:
  explicit Vit(const VisionConfig& config);
  // `prefix`: "vision_model." in a full checkpoint and in a stand-alone one.
  void bind(WeightBinder& binder, const std::string& prefix);
  void finish_loading();  // folds the class token into the position table
  // Puts the patch embedding in bf16, or in eight bits; the bytes saved. Throws out_of_memory.
  int64_t round_patch_embedding();
  int64_t quantize_patch_embedding();

  // Instead of bind(): the weights of `from`, a tower of the same configuration, in a device's memory.
  void upload(WeightUpload& upload, const Vit& from);

  // Calls body(Linear) for the products of every block.
  template <class Body>
  void for_each_linear(Body body) const {
    for (const VitBlock& b : blocks_)
      for (const Linear* w : {&b.qkv, &b.out, &b.fc1, &b.fc2}) body(*w);
  }
  template <class Body>
  void for_each_linear(Body body) {
    for (VitBlock& b : blocks_)
      for (Linear* w : {&b.qkv, &b.out, &b.fc1, &b.fc2}) body(*w);
  }

  // Collective. The class tokens after the last LayerNorm [images, D]: a view into the scratch, not filled if stopped.
  // With a capture every row of the last block is computed, else only the class tokens'.
  Tensor forward(Exec& ex, VitScratch& s, const PatchSource& pixels, const ImageRows& rows, Stop& stop,
                 Capture* capture) const;

  // Collective. The full driver: every row of every layer, into what the request wants. The same view of the
  // normalised class tokens. The scratch is planned for attention in f32.
  Tensor forward(Exec& ex, VitScratch& s, const PatchSource& pixels, const VitRequest& request, Stop& stop) const;

  const VisionConfig& config() const { return config_; }
  int64_t values_of_patch() const { return patch_embedding_.weights.k(); }
  // The type in which attention works on a device, given that of the activations: wide heads are f32 there.
  DType device_attention_type(DType activations) const {
    return config_.head_dim() > kWidestDeviceHead ? DType::f32 : narrow_attention(activations);
  }
  // [T, D]; row 0 includes the class embedding.
  const float* position_embedding() const { return position_embedding_.as<float>(); }

 private:
  // Patches, positions and the norm before the blocks: x [images T, D].
  void embed(Exec& ex, VitScratch& s, Tensor x, int64_t images, const PatchSource& pixels, const float* positions,
             const Tap& tap) const;
  // `terms` null: plain attention.
  void block(Exec& ex, const VitBlock& b, VitScratch& s, Tensor x, Tensor wanted, std::span<const Sequence> sequences,
             const Tap& tap, const AttentionTerms* terms) const;

  VisionConfig config_;
  int64_t heads_;
  Activation activation_;
  Linear patch_embedding_;
  Buffer class_embedding_;     // [D]
  Buffer position_embedding_;  // [T, D]; row 0 includes the class embedding once loaded
  LayerNorm pre_norm_, post_norm_;
  std::vector<VitBlock> blocks_;
};

}  // namespace tw
