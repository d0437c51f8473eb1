// Embeddings as .npy (one array of all) or .jsonl (an object a line).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tuwen_cli {

// Takes one item after the other; the file appears when finish() has been called and not before.
class EmbeddingFile {
 public:
  virtual ~EmbeddingFile() = default;
  // `values` has the product of `shape` floats; all items have one shape.
  virtual void add(std::string_view name, std::span<const float> values) = 0;
  virtual void finish() = 0;
};

// By the path's ending, .npy or .jsonl; throws UsageError for another. `items` will be added, each of `shape` (one or
// two dimensions). `kind` is the key of an item's name in .jsonl ("image", "text"), `what` that of its values.
std::unique_ptr<EmbeddingFile> create_embedding_file(const std::string& path, size_t items, std::vector<size_t> shape,
                                                     std::string kind, std::string what);

// The header of a .npy file, [items, shape...] of NumPy's `type`.
std::string npy_header(size_t items, const std::vector<size_t>& shape, const char* type = "<f4");

// Throws UsageError unless create_embedding_file would accept the path.
void check_embedding_path(const std::string& path);

}  // namespace tuwen_cli
