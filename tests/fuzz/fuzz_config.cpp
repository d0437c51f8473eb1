// Any bytes as a config.json: refused with a tw::Error, or a configuration whose sizes make sense together.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "models/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const tw::ChineseClipConfig config = tw::parse_config(text, "config.json");
    if (config.text.head_dim() * config.text.num_attention_heads != config.text.hidden_size) std::abort();
    if (config.vision.head_dim() * config.vision.num_attention_heads != config.vision.hidden_size) std::abort();
    if (config.vision.tokens() < 2 || config.json != text) std::abort();
  } catch (const tw::Error&) {
  }
  return 0;
}
