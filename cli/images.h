// Reading and encoding lists of pictures and texts in batches.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace tuwen_cli {

// The pictures at paths[begin, end), decoded.
std::vector<tuwen::Image> read_images(const std::vector<std::string>& paths, size_t begin, size_t end);

// Embeddings of texts[begin, end). What is wrong with one of them is said with its place among all.
tuwen::Matrix encode_texts(tuwen::Session& session, const std::vector<std::string>& texts, size_t begin, size_t end,
                           const tuwen_encode_options* how = nullptr);

// Normalised embeddings of all, with a progress bar. Pictures are decoded ahead.
tuwen::Matrix encode_image_files(const tuwen::Model& model, tuwen::Session& session,
                                 const std::vector<std::string>& paths, bool quiet);
tuwen::Matrix encode_text_lines(tuwen::Session& session, const std::vector<std::string>& texts, bool quiet);

}  // namespace tuwen_cli
