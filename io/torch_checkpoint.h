// Weights saved by torch.save: the ZIP format (PyTorch 1.6 and later) and the older one. Reading executes nothing.
#pragma once

#include <vector>

#include "io/file.h"
#include "io/stored_tensor.h"

namespace tw {

enum class TorchFormat { none, zip, legacy, tar };

// Which of PyTorch's formats the file begins like.
TorchFormat torch_format(const File& file);

// The tensors of a state dict, in its order: a dict of tensors (pytorch_model.bin), or a dict that has one under
// "state_dict" (training checkpoints, cn_clip); values that are no tensors are passed over. Parameters and views are
// followed: tensors may share storages and have any strides, and everything is checked against the storage's bytes in
// the file.
//
// Throws truncated, malformed, limit_exceeded, or unsupported: whole modules, TorchScript archives, big-endian files,
// quantised, sparse or conjugated tensors, the tar format, and any global that a state dict does not need (named).
// Sources: PyTorch, torch/serialization.py, torch/_utils.py and torch/_weights_only_unpickler.py.
std::vector<StoredTensor> read_torch_checkpoint(const File& file);

}  // namespace tw
