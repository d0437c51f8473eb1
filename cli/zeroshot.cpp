#include "cli/zeroshot.h"

#include <algorithm>
#include <numeric>

#include "cli/json_lines.h"
#include "cli/lines.h"
#include "cli/nearest.h"
#include "cli/output_file.h"
#include "cli/python_json.h"

namespace tuwen_cli {
namespace {

constexpr float kScale = 100.0f;

// Parameters of the image tower, its projection included.
int64_t visual_parameters(const std::string& model_directory) {
  const tuwen::Checkpoint checkpoint = tuwen::Checkpoint::open(model_directory);
  int64_t total = 0;
  for (size_t i = 0; i < checkpoint.size(); ++i) {
    const tuwen_tensor tensor = checkpoint.at(i);
    const std::string_view name = tensor.name;
    if (!name.starts_with("vision_model.") && !name.starts_with("visual_projection.")) continue;
    if (name.ends_with("position_ids")) continue;  // a buffer
    int64_t elements = 1;
    for (int32_t d = 0; d < tensor.rank; ++d) elements *= tensor.shape[d];
    total += elements;
  }
  return total;
}

std::vector<size_t> rows_of(const std::string& index, size_t total) {
  std::vector<size_t> rows(total);
  std::iota(rows.begin(), rows.end(), size_t{0});
  if (index.empty()) return rows;
  const std::optional<std::string> text = text_of_file(index);
  if (!text) throw Failure(index + ": cannot be opened");
  rows.clear();
  for (const int64_t row : parse_int_list(*text, index)) {
    if (row < 0 || static_cast<size_t>(row) >= total) {
      throw Failure(index + ": list[" + std::to_string(rows.size()) + "]: expected 0 to " + std::to_string(total - 1) +
                    ", found " + std::to_string(row));
    }
    rows.push_back(static_cast<size_t>(row));
  }
  return rows;
}

}  // namespace

tuwen::Matrix zeroshot_probabilities(const tuwen::Matrix& images, const tuwen::Matrix& weights) {
  tuwen::Matrix logits(images.rows, weights.rows);
  for (size_t i = 0; i < images.rows; ++i) {
    for (size_t c = 0; c < weights.rows; ++c) logits.row(i)[c] = kScale * dot(images.row(i), weights.row(c));
  }
  return tuwen::softmax(std::move(logits));
}

Accuracy accuracy_of(const tuwen::Matrix& probabilities, const std::vector<size_t>& classes) {
  Accuracy accuracy{probabilities.rows, 0, 0};
  for (size_t i = 0; i < probabilities.rows; ++i) {
    const std::vector<size_t> best = largest(probabilities.row(i), 5);
    accuracy.top1 += best[0] == classes[i] ? 1u : 0u;
    accuracy.top5 += std::find(best.begin(), best.end(), classes[i]) != best.end() ? 1u : 0u;
  }
  return accuracy;
}

void write_predictions(const std::string& path, const std::string& model_directory, const std::string& model_name,
                       const std::string& dataset, const tuwen::Matrix& probabilities, const std::string& index) {
  const std::vector<size_t> rows = rows_of(index, probabilities.rows);
  const std::string parameters = std::to_string(tuwen::Model::inspect(model_directory).parameters);
  OutputFile file(path);
  std::string text = "{\"model_name\": ";
  append_python_string(text, model_name);
  text += ", \"dataset_name\": ";
  append_python_string(text, dataset);
  text += ", \"num_trainable_params\": 0, \"num_params\": " + parameters +
          ", \"num_visual_params\": " + std::to_string(visual_parameters(model_directory)) +
          ", \"num_backbone_params\": " + parameters + ", \"n_shot\": 0, \"rnd_seeds\": [123], \"predictions\": [[";
  for (size_t r = 0; r < rows.size(); ++r) {
    text += r == 0 ? "[" : ", [";
    const auto row = probabilities.row(rows[r]);
    for (size_t c = 0; c < row.size(); ++c) {
      if (c > 0) text += ", ";
      append_python_rounded(text, static_cast<double>(row[c]));
    }
    text += "]";
    file.write(text);
    text.clear();
  }
  file.write("]]}");
  file.commit();
}

}  // namespace tuwen_cli
