// Reading the tokenizer files of a model directory.
#pragma once

#include <string>

#include "tokenizer/bert_tokenizer.h"

namespace tw {

// Everything that BertTokenizer is made from. `name` is the file with the vocabulary, for errors.
struct TokenizerSpec {
  Vocabulary vocabulary;
  BertTokenizerConfig config;
  std::string name;
};

TokenizerSpec read_tokenizer_files(const BertTokenizerFiles& files);

}  // namespace tw
