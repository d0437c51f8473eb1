// One vector a class out of its label and prompt templates.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace tuwen_cli {

// The mean of the templates' normalised embeddings, normalised again: zero_shot_classifier() of zeroshot_evaluation.py.
// Texts are prepared as the evaluation tools do (evaluation_texts.h), none is cut.
//
// With a cache file: taken from there if the same model, arithmetic, labels and templates wrote it; otherwise computed
// and put there, whole or not at all. A file that is damaged or of something else is replaced, unless it is no cache at
// all, which is a Failure.
tuwen::Matrix label_weights(tuwen::Session& session, const tuwen::Model& model, const CommonOptions& options,
                            const std::vector<std::string>& labels, const std::vector<std::string>& templates,
                            const std::string& cache_file);

}  // namespace tuwen_cli
