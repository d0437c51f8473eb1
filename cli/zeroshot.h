// Zero-shot accuracy, and the prediction file of zeroshot_evaluation.py of OFA-Sys/Chinese-CLIP.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/labelled_pictures.h"

namespace tuwen_cli {

struct Accuracy {
  size_t pictures, top1, top5;  // numbers of pictures
};
// softmax(100 f W) of image features f and class weights W, [pictures, classes]: the constant is the original's and not
// the model's logit_scale.
tuwen::Matrix zeroshot_probabilities(const tuwen::Matrix& images, const tuwen::Matrix& weights);
// Of classes that are equally probable the first one counts.
Accuracy accuracy_of(const tuwen::Matrix& probabilities, const std::vector<size_t>& classes);

// The prediction file; probabilities are rounded to six decimals. `index` says which rows go into it, in order: a file
// with a JSON list, or "" for all. Throws Failure; the file appears whole or not at all.
void write_predictions(const std::string& path, const std::string& model_directory, const std::string& model_name,
                       const std::string& dataset, const tuwen::Matrix& probabilities, const std::string& index);

}  // namespace tuwen_cli
