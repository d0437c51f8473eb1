#include "cli/recall_score.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <unordered_map>

#include "cli/command.h"
#include "cli/json_lines.h"
#include "cli/python_json.h"

namespace tuwen_cli {
namespace {

constexpr size_t kPredictions = 10;

void for_each_line(const std::string& path, const Direction& direction,
                   const std::function<void(IdsLine&&, const std::string& place)>& use) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Failure(path + ": cannot be opened: " + std::strerror(errno));
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string place = path + ":" + std::to_string(++number);
    use(parse_ids(line, place, direction.query, direction.answers), place);
  }
  if (in.bad()) throw Failure(path + ": cannot be read: " + std::strerror(errno));
}

// Place of the id in the reference, which gets one more query where it is new.
size_t place_of(int64_t id, Reference& reference, std::unordered_map<int64_t, size_t>& places) {
  const auto [found, is_new] = places.try_emplace(id, reference.queries.size());
  if (is_new) {
    reference.queries.push_back(id);
    reference.answers.emplace_back();
  }
  return found->second;
}

void check_prediction(const IdsLine& line, const std::string& place, const Direction& direction) {
  const std::string field = place + ": " + direction.answers;
  if (line.ids.size() != kPredictions) {
    throw Failure(field + ": expected exactly 10 ids, found " + std::to_string(line.ids.size()));
  }
  auto sorted = line.ids;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throw Failure(field + ": expected 10 different ids, found " + std::to_string(*twice) + " twice");
  }
}

}  // namespace

Reference read_reference(const std::string& path, const Direction& direction) {
  Reference reference;
  std::unordered_map<int64_t, size_t> places;
  for_each_line(path, direction, [&](IdsLine&& line, const std::string&) {
    reference.answers[place_of(line.id, reference, places)] = std::move(line.ids);
  });
  return reference;
}

Reference read_inverted_reference(const std::string& path) {
  Reference reference;
  std::unordered_map<int64_t, size_t> places;
  for_each_line(path, kTextToImage, [&](IdsLine&& line, const std::string&) {
    for (const int64_t image : line.ids) reference.answers[place_of(image, reference, places)].push_back(line.id);
  });
  return reference;
}

Recall score_predictions(const std::string& path, const Direction& direction, const Reference& reference,
                         const std::string& reference_path) {
  std::unordered_map<int64_t, std::vector<int64_t>> predictions;
  for_each_line(path, direction, [&](IdsLine&& line, const std::string& place) {
    check_prediction(line, place, direction);
    predictions[line.id] = std::move(line.ids);
  });
  if (reference.queries.empty()) {
    throw Failure(reference_path + ": " + direction.query + ": expected at least one, found none");
  }
  size_t hits[3] = {};
  for (size_t q = 0; q < reference.queries.size(); ++q) {
    const auto prediction = predictions.find(reference.queries[q]);
    if (prediction == predictions.end()) {
      throw Failure(path + ": " + direction.query + ": expected a line for each of " + reference_path +
                    ", found none for " + std::to_string(reference.queries[q]));
    }
    const auto& answers = reference.answers[q];
    const auto first =
        std::find_first_of(prediction->second.begin(), prediction->second.end(), answers.begin(), answers.end());
    const auto rank = first - prediction->second.begin();
    constexpr std::ptrdiff_t kDepths[3] = {1, 5, 10};
    for (int k = 0; k < 3; ++k) hits[k] += rank < kDepths[k] ? 1 : 0;
  }
  // In the original's order of operations, so that the figures are its to the last bit.
  const auto total = static_cast<double>(reference.queries.size());
  const double r1 = static_cast<double>(hits[0]) / total, r5 = static_cast<double>(hits[1]) / total,
               r10 = static_cast<double>(hits[2]) / total;
  const double mean = (r1 + r5 + r10) / 3.0;
  return {r1 * 100, r5 * 100, r10 * 100, mean * 100};
}

std::string success_file(const Recall& recall) {
  std::string text = "{\"success\": true, \"score\": ";
  append_python_float(text, recall.mean);
  text += ", \"scoreJson\": {\"score\": ";
  append_python_float(text, recall.mean);
  text += ", \"mean_recall\": ";
  append_python_float(text, recall.mean);
  text += ", \"r1\": ";
  append_python_float(text, recall.r1);
  text += ", \"r5\": ";
  append_python_float(text, recall.r5);
  text += ", \"r10\": ";
  append_python_float(text, recall.r10);
  return text + "}}";
}

std::string failure_file(const std::string& message) {
  std::string text = "{\"errorDetail\": ";
  append_python_string(text, message);
  text += ", \"errorMsg\": ";
  append_python_string(text, message);
  return text + ", \"score\": 0, \"scoreJson\": {}, \"success\": false}";
}

}  // namespace tuwen_cli
