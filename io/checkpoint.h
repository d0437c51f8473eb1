// The weights of a model directory, whatever files they are in: safetensors or PyTorch, one file or shards.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "io/stored_tensor.h"

namespace tw {

// An open checkpoint: a list of tensors and the files to read them from. Opening reads headers only.
// Immutable after opening, so any number of threads may read from one Checkpoint at once.
class Checkpoint {
 public:
  // A directory is searched in the order of transformers 4.37.2: model.safetensors, model.safetensors.index.json,
  // pytorch_model.bin, pytorch_model.bin.index.json. A file is a safetensors file, a PyTorch file (zip or the older
  // format) or an index; its content decides, not its name. Throws io_error if nothing is there,
  // truncated/malformed/unsupported/limit_exceeded naming file and field.
  static Checkpoint open(const std::filesystem::path& directory_or_file);

  // A tensor somewhere in memory, row-major without gaps, little-endian. `owner` keeps the memory; empty: the caller
  // does, longer than the Checkpoint lives.
  struct MemoryTensor {
    TensorInfo info;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner = {};
  };
  // Throws malformed or limit_exceeded naming the tensor: sizes that do not fit, a name that occurs twice or is none.
  static Checkpoint of(std::vector<MemoryTensor> tensors);

  // The same tensors under other names, or not at all where `rename` gives nothing; some of them replaced or added.
  // What is kept is read from `base`, which lives on with the new one.
  static Checkpoint derived(std::shared_ptr<const Checkpoint> base,
                            const std::function<std::optional<std::string>(const std::string&)>& rename,
                            std::vector<MemoryTensor> others);

  Checkpoint(Checkpoint&&) noexcept = default;
  Checkpoint& operator=(Checkpoint&&) noexcept = default;

  // Every tensor, after the renames that transformers makes on loading ("gamma" -> "weight", "beta" -> "bias"); those
  // of a cn_clip file under the names that transformers has for them.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // nullptr when there is no such tensor.
  const TensorInfo* find(std::string_view name) const;

  // The whole tensor as f32, row-major, converted from f32, f16, bf16 or f64 (other types: unsupported).
  // out.size() must be the element count. With check_finite a NaN or infinity is the error non_finite, naming tensor
  // and flat index. After an error the content of `out` is unspecified.
  void read_f32(const TensorInfo& tensor, std::span<float> out, bool check_finite = true) const;

  // Rows [first_row, first_row + out.size() / row_elements) of the tensor seen as [shape[0], everything else], so that
  // large tensors can be converted in pieces. A scalar is one row of one element. out.size() must be a whole number of
  // rows. Tensors stored transposed are read through a window over the whole storage: ask for large pieces of them.
  bool is_stored_transposed(const TensorInfo& tensor) const { return !location(tensor).strides.empty(); }
  void read_f32_rows(const TensorInfo& tensor, int64_t first_row, std::span<float> out, bool check_finite = true) const;

  // The whole tensor in its own type, row-major without gaps. out.size() is its size in bytes.
  void read_as_stored(const TensorInfo& tensor, std::span<std::byte> out) const;

  // A whole i64 tensor, such as the position_ids that transformers before 4.31 saved.
  void read_i64(const TensorInfo& tensor, std::span<int64_t> out) const;

  // Path of the file that holds the tensor, for error messages.
  const std::string& file_of(const TensorInfo& tensor) const;

 private:
  struct Location {
    const File* file;
    int64_t offset;
    std::vector<int64_t> strides;
  };

  Checkpoint() = default;
  void add_file(File file);
  void add_shards(const std::filesystem::path& index);
  void add_memory(MemoryTensor tensor);
  void add_tensor(const File* file, StoredTensor stored);
  StoredTensor stored(const TensorInfo& tensor) const;
  const Location& location(const TensorInfo& tensor) const;

  std::vector<std::unique_ptr<const File>> files_;   // which locations_ point to
  std::vector<std::shared_ptr<const void>> owners_;  // of memory, and of other checkpoints' files
  std::vector<TensorInfo> tensors_;
  std::vector<Location> locations_;                     // of tensors_[i]
  std::map<std::string, size_t, std::less<>> by_name_;  // index into tensors_
};

}  // namespace tw
