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

// The content of a regular file of at most max_bytes. Throws io_error and limit_exceeded.
std::string read_text_file(const std::string& path, size_t max_bytes);

}  // namespace tw
