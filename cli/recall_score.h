// R@k of retrieval, as evaluation.py and evaluation_tr.py of OFA-Sys/Chinese-CLIP define it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tuwen_cli {

// Which way a prediction goes, and what its files call things.
struct Direction {
  const char* name;
  const char* query;    // key of what was looked up
  const char* answers;  // key of what was found
};
constexpr Direction kTextToImage = {"text to image", "text_id", "image_ids"};
constexpr Direction kImageToText = {"image to text", "image_id", "text_ids"};

// What belongs to each query; a query that comes twice keeps its last line, in the place of its first.
struct Reference {
  std::vector<int64_t> queries;
  std::vector<std::vector<int64_t>> answers;
};
// Lines {"text_id": ..., "image_ids": [...]} or {"image_id": ..., "text_ids": [...]}. Throws Failure with file and
// line.
Reference read_reference(const std::string& path, const Direction& direction);
// Of text to image, the reference of image to text, as transform_ir_annotation_to_tr.py makes it: images in the order
// in which they first come, with every line's text.
Reference read_inverted_reference(const std::string& path);

// In percent.
struct Recall {
  double r1, r5, r10, mean;
};
// Of predictions with exactly ten different ids a query, for every query of the reference; others may be there too.
// Throws Failure otherwise, and for a reference without queries.
Recall score_predictions(const std::string& path, const Direction& direction, const Reference& reference,
                         const std::string& reference_path);

// The result file of the original: on success, and on failure with its message.
std::string success_file(const Recall& recall);
std::string failure_file(const std::string& message);

}  // namespace tuwen_cli
