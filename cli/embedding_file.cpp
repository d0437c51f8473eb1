#include "cli/embedding_file.h"

#include <bit>
#include <sstream>
#include <utility>

#include "cli/command.h"
#include "cli/json_writer.h"
#include "cli/output_file.h"

namespace tuwen_cli {
namespace {

static_assert(std::endian::native == std::endian::little, ".npy is written as the floats lie in memory");

class NpyFile : public EmbeddingFile {
 public:
  NpyFile(const std::string& path, size_t items, const std::vector<size_t>& shape) : file_(path) {
    file_.write(npy_header(items, shape));
  }
  void add(std::string_view, std::span<const float> values) override {
    file_.write({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  void finish() override { file_.commit(); }

 private:
  OutputFile file_;
};

class JsonLinesFile : public EmbeddingFile {
 public:
  JsonLinesFile(const std::string& path, std::vector<size_t> shape, std::string kind, std::string what)
      : file_(path), shape_(std::move(shape)), kind_(std::move(kind)), what_(std::move(what)) {}

  void add(std::string_view name, std::span<const float> values) override {
    std::ostringstream line;
    JsonWriter json(line);
    json.begin_object().key(kind_).value(name).key(what_);
    if (shape_.size() == 1) {
      json.array(values);
    } else {
      json.begin_array();
      for (size_t r = 0; r < shape_[0]; ++r) json.array(values.subspan(r * shape_[1], shape_[1]));
      json.end_array();
    }
    json.end_object();
    line << "\n";
    file_.write(line.view());
  }
  void finish() override { file_.commit(); }

 private:
  OutputFile file_;
  std::vector<size_t> shape_;
  std::string kind_, what_;
};

}  // namespace

// NumPy's array file, format 1.0: numpy.lib.format.
std::string npy_header(size_t items, const std::vector<size_t>& shape, const char* type) {
  std::string text =
      "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (" + std::to_string(items);
  for (const size_t d : shape) text += ", " + std::to_string(d);
  text += shape.empty() ? ",), }" : "), }";
  constexpr size_t kFixedBytes = 10, kAlignment = 64;
  while ((kFixedBytes + text.size() + 1) % kAlignment != 0) text += ' ';
  text += '\n';
  const auto size = static_cast<unsigned>(text.size());
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(size & 0xFF);
  header += static_cast<char>(size >> 8);
  return header + text;
}

void check_embedding_path(const std::string& path) {
  if (!path.ends_with(".npy") && !path.ends_with(".jsonl")) {
    throw UsageError("--out " + path + ": expected a name ending in .npy or .jsonl");
  }
}

std::unique_ptr<EmbeddingFile> create_embedding_file(const std::string& path, size_t items, std::vector<size_t> shape,
                                                     std::string kind, std::string what) {
  check_embedding_path(path);
  if (path.ends_with(".npy")) return std::make_unique<NpyFile>(path, items, shape);
  return std::make_unique<JsonLinesFile>(path, std::move(shape), std::move(kind), std::move(what));
}

}  // namespace tuwen_cli
