// Inputs that every benchmark can make for itself.
#pragma once

#include <cstdint>
#include <vector>

namespace tw::bench {

// RGB bytes [height, width, 3] with a spectrum like a photograph's: smooth shapes, edges and a little noise.
std::vector<uint8_t> photograph(int64_t width, int64_t height, uint32_t seed);

// Token ids of `tokens` tokens: [CLS] ... [SEP] around ids spread over the vocabulary.
std::vector<int32_t> token_row(int64_t tokens, int64_t vocabulary, uint32_t seed);

}  // namespace tw::bench
