// Any bytes as a safetensors file: refused with a tw::Error, or every tensor can be read at its first and last element.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "io/safetensors.h"
#include "io/tensor_reader.h"
#include "tests/support/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tw::test::MemoryFile memory;
  memory.write({reinterpret_cast<const char*>(data), size});
  try {
    const tw::File file = tw::File::open(memory.path());
    int64_t end = -1;
    for (const tw::StoredTensor& tensor : tw::read_safetensors_header(file).tensors) {
      if (!tw::fits(tensor, 0, file.size())) std::abort();
      if (end >= 0 && tensor.offset != end) std::abort();  // they lie one after the other
      int64_t elements = 1;
      for (const int64_t d : tensor.info.shape) elements *= d;
      end = tensor.offset + elements * tw::size_of(tensor.info.dtype);
      std::byte byte;
      if (elements != 0) file.read_at(tensor.offset, {&byte, 1});
      if (elements != 0) file.read_at(end - 1, {&byte, 1});
    }
    if (end >= 0 && end != file.size()) std::abort();
  } catch (const tw::Error&) {
  }
  return 0;
}
