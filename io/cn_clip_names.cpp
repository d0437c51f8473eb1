#include "io/cn_clip_names.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace tw {
namespace {

using Rename = std::pair<std::string_view, std::string_view>;

constexpr std::string_view kBlocks = "visual.transformer.resblocks.";

// Whole names outside the blocks.
constexpr std::array<Rename, 7> kNames = {
    {{"visual.class_embedding", "vision_model.embeddings.class_embedding"},
     {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"},
     {"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
     {"visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"},
     {"visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"},
     {"visual.ln_post.weight", "vision_model.post_layernorm.weight"},
     {"visual.ln_post.bias", "vision_model.post_layernorm.bias"}}};

// Parts of a block, before ".weight" or ".bias".
constexpr std::array<Rename, 5> kBlockParts = {{{"attn.out_proj", "self_attn.out_proj"},
                                                {"ln_1", "layer_norm1"},
                                                {"ln_2", "layer_norm2"},
                                                {"mlp.c_fc", "mlp.fc1"},
                                                {"mlp.c_proj", "mlp.fc2"}}};

std::string_view without_module(std::string_view name) {
  constexpr std::string_view kPrefix = "module.";  // of DistributedDataParallel
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

std::string joined(std::string_view a, std::string_view b, std::string_view c) {
  return std::string(a).append(b).append(c);
}

// The product of the dimensions after the first in elements of the file, which is the step from one row to the next.
int64_t row_step(const StoredTensor& tensor) {
  if (!tensor.strides.empty()) return tensor.strides[0];
  int64_t step = 1;
  for (size_t d = 1; d < tensor.info.shape.size(); ++d) step *= tensor.info.shape[d];
  return step;
}

class Renamer {
 public:
  explicit Renamer(const std::string& file) : file_(file) {}

  void add(StoredTensor tensor) {
    const std::string name(without_module(tensor.info.name));
    const std::string_view text = name;
    if (text.starts_with("bert.pooler.")) return;
    if (text == "text_projection" || text == "visual.proj")
      return transposed(std::move(tensor),
                        text == "visual.proj" ? "visual_projection.weight" : "text_projection.weight");
    if (text.starts_with("bert.")) return text_part(std::move(tensor), text.substr(5));
    if (text.starts_with(kBlocks)) return block_part(std::move(tensor), text.substr(kBlocks.size()));
    if (text.starts_with("visual.layer1.") || text.starts_with("visual.attnpool.")) {
      throw Error(
          ErrorCode::unsupported,
          {.file = file_, .field = tensor_field(name), .expected = "a vision transformer", .found = "a ResNet"});
    }
    const auto known = std::find_if(kNames.begin(), kNames.end(), [&](const Rename& r) { return r.first == text; });
    keep(std::move(tensor), known == kNames.end() ? name : std::string(known->second));
  }

  std::vector<StoredTensor> take() { return std::move(tensors_); }

 private:
  void keep(StoredTensor tensor, std::string name) {
    tensor.info.name = std::move(name);
    tensors_.push_back(std::move(tensor));
  }

  void transposed(StoredTensor tensor, std::string name) {
    std::vector<int64_t>& shape = tensor.info.shape;
    if (shape.size() == 2) {
      if (tensor.strides.empty()) tensor.strides = {shape[1], 1};
      std::swap(shape[0], shape[1]);
      std::swap(tensor.strides[0], tensor.strides[1]);
    }
    keep(std::move(tensor), std::move(name));
  }

  // Three tensors one below the other, in the order query, key, value.
  void split(const StoredTensor& stacked, std::string_view prefix, const std::array<std::string_view, 3>& parts,
             std::string_view suffix) {
    const std::vector<int64_t>& shape = stacked.info.shape;
    if (shape.empty() || shape[0] % 3 != 0) {
      throw Error(ErrorCode::shape_mismatch, {.file = file_,
                                              .field = tensor_field(stacked.info.name),
                                              .expected = "a multiple of 3 rows",
                                              .found = shape_text(shape)});
    }
    const int64_t rows = shape[0] / 3;
    for (size_t i = 0; i < 3; ++i) {
      StoredTensor part = stacked;
      part.info.shape[0] = rows;
      if (rows != 0) part.offset += static_cast<int64_t>(i) * rows * row_step(stacked) * size_of(stacked.info.dtype);
      keep(std::move(part), joined(prefix, parts[i], suffix));
    }
  }

  void text_part(StoredTensor tensor, std::string_view rest) {
    // Only files of a run with FlashAttention have these two.
    constexpr std::string_view kStacked = "attention.self.Wqkv.";
    constexpr std::string_view kOut = "attention.self.out_proj.";
    if (const size_t at = rest.find(kStacked); at != std::string_view::npos) {
      split(tensor, joined("text_model.", rest.substr(0, at), "attention.self."), {"query", "key", "value"},
            joined(".", rest.substr(at + kStacked.size()), ""));
    } else if (const size_t out = rest.find(kOut); out != std::string_view::npos) {
      keep(
          std::move(tensor),
          joined("text_model.", rest.substr(0, out), "attention.output.dense.").append(rest.substr(out + kOut.size())));
    } else {
      keep(std::move(tensor), joined("text_model.", rest, ""));
    }
  }

  // `rest`: "11.attn.in_proj_weight"
  void block_part(StoredTensor tensor, std::string_view rest) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string layer = joined("vision_model.encoder.layers.", rest.substr(0, dot), ".");
    const std::string_view part = rest.substr(std::min(dot + 1, rest.size()));
    for (const std::string_view suffix : {"weight", "bias"}) {
      if (part == joined("attn.in_proj_", suffix, "") || part == joined("attn.Wqkv.", suffix, ""))
        return split(tensor, joined(layer, "self_attn.", ""), {"q_proj.", "k_proj.", "v_proj."}, suffix);
      for (const auto& [from, to] : kBlockParts)
        if (part == joined(from, ".", suffix)) return keep(std::move(tensor), joined(layer, to, ".").append(suffix));
    }
    keep(std::move(tensor), joined(kBlocks, rest, ""));
  }

  const std::string& file_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace

bool is_cn_clip(const std::vector<StoredTensor>& tensors) {
  const auto any = [&](std::string_view prefix) {
    return std::any_of(tensors.begin(), tensors.end(),
                       [&](const StoredTensor& t) { return without_module(t.info.name).starts_with(prefix); });
  };
  return any("visual.") && any("bert.");
}

std::vector<StoredTensor> hugging_face_names(std::vector<StoredTensor> tensors, const std::string& file) {
  Renamer renamer(file);
  for (StoredTensor& tensor : tensors) renamer.add(std::move(tensor));
  return renamer.take();
}

}  // namespace tw
