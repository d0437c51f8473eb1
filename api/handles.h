// What the opaque handles of the C interface hold.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/profile.h"
#include "io/checkpoint.h"
#include "io/image_decode.h"
#include "models/chinese_clip.h"
#include "models/image_processor.h"
#include "models/pictures.h"
#include "models/session.h"
#include "tokenizer/bert_tokenizer.h"
#include "tuwen/tuwen.h"

struct tuwen_processor {
  tw::BertTokenizer tokenizer;
  tw::ImageProcessor images;
};

struct tuwen_tokens {
  tw::EncodedBatch batch;
  // as wide as ids, for the caller's convenience
  std::vector<int32_t> type_ids, attention_mask, special_tokens_mask, sequence_ids;
};

struct tuwen_image {
  tw::Image image;
  std::string path = {};  // of the file it was read from, printable; for errors
};

namespace tw {

// A model with what belongs to it; shared by the model's handle and its sessions.
struct LoadedModel {
  std::shared_ptr<const ChineseClip> clip;
  std::optional<tuwen_processor> processor;
  std::optional<ImageProcessor> encoder_input;  // the processor's options, in the layout that the encoder takes
  tuwen_model_info info = {};
};

// Throws unsupported for a tower that stands alone.
inline void check_embeddings(const ChineseClip& model) {
  if (model.has_embeddings()) return;
  throw Error(ErrorCode::unsupported,
              {.field = "session",
               .note = "its model is a tower that stands alone and has no embeddings; tuwen_text_forward() or "
                       "tuwen_vision_forward() runs it"});
}

}  // namespace tw

struct tuwen_model {
  std::shared_ptr<const tw::LoadedModel> loaded;
};

struct tuwen_outputs {
  tw::Outputs outputs;
};

struct tuwen_checkpoint {
  std::string config_json;
  std::shared_ptr<const tw::Checkpoint> tensors;
};

struct tuwen_capture {
  std::string prefix;
  tw::Capture capture;
};

struct tuwen_profile {
  tw::Profile profile;
};

struct tuwen_session {
  tuwen_session(std::shared_ptr<const tw::LoadedModel> model, const tw::SessionOptions& options)
      : loaded(std::move(model)), session(loaded->clip, options) {}

  std::shared_ptr<const tw::LoadedModel> loaded;
  tw::Session session;
  std::atomic<bool> cancel = false;
  tw::PictureMemory pictures;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
};
