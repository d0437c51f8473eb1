// From the pickle of a state dict to tensors: what torch._utils._rebuild_tensor_v2 and its relatives would have built.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/pickle_reader.h"
#include "io/stored_tensor.h"

namespace tw {

// The globals that a state dict may name.
std::span<const std::string_view> torch_globals();

// Where the elements of one storage are in the file.
struct TorchStorage {
  int64_t offset = 0;  // bytes from the start of the file
  int64_t bytes = 0;
};

// A storage as a pickle refers to it: ('storage', class, key, location, numel[, view]).
struct TorchStorageId {
  std::string_view key;
  DType dtype = DType::f32;
  int64_t elements = 0;
  int64_t view_offset = 0;    // the older format: this storage is a part of the one under `key`, in elements
  int64_t view_elements = 0;  // `elements` when there is no view
};

// Parses a persistent id. Throws malformed or unsupported; `field` and `file` name the place.
TorchStorageId parse_storage_id(const PickleTree& tree, PickleValue persistent, const std::string& field,
                                const std::string& file);

// The tensors of the state dict in `tree`. `locate` finds a storage; it throws if there is none such.
std::vector<StoredTensor> state_dict_tensors(const PickleTree& tree, const std::string& file,
                                             const std::function<TorchStorage(const TorchStorageId&)>& locate);

}  // namespace tw
