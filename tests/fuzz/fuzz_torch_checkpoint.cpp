// Any bytes as a PyTorch file: refused with a tw::Error, or every tensor lies in the file and can be read. Bytes that
// begin like no PyTorch file are taken as the pickle of one, so that the pickle machine is reached without an archive
// around it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/convert.h"
#include "io/tensor_reader.h"
#include "io/torch_checkpoint.h"
#include "io/torch_tensors.h"
#include "tests/support/memory_file.h"

namespace {

void read_all(const tw::File& file, const std::vector<tw::StoredTensor>& tensors) {
  for (const tw::StoredTensor& tensor : tensors) {
    if (!tw::fits(tensor, 0, file.size())) std::abort();
    int64_t elements = 1;
    for (const int64_t d : tensor.info.shape) elements *= d;
    if (elements > 4096 || !tw::is_floating(tensor.info.dtype)) continue;
    std::vector<float> out(static_cast<size_t>(elements));
    tw::read_rows_as_f32(file, tensor, 0, out, false);
  }
}

void parse_as_pickle(const tw::File& file, std::string_view bytes) {
  const auto [tree, used] = tw::parse_pickle(bytes, tw::torch_globals(), "pickle");
  if (used > bytes.size()) std::abort();
  // Every storage begins at the first byte and has what the file has.
  const auto locate = [&](const tw::TorchStorageId& id) {
    const int64_t width = tw::size_of(id.dtype);
    if (id.elements > file.size() / width) throw tw::Error(tw::ErrorCode::malformed, {});
    return tw::TorchStorage{0, id.elements * width};
  };
  read_all(file, tw::state_dict_tensors(tree, "pickle", locate));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  tw::test::MemoryFile memory;
  memory.write(bytes);
  try {
    const tw::File file = tw::File::open(memory.path());
    if (tw::torch_format(file) == tw::TorchFormat::none) {
      parse_as_pickle(file, bytes);
    } else {
      read_all(file, tw::read_torch_checkpoint(file));
    }
  } catch (const tw::Error&) {
  }
  return 0;
}
