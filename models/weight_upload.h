// Copies of a model's weights in a device's memory.
#pragma once

#include <vector>

#include "core/device.h"
#include "kernels/ops.h"

namespace tw {

// Makes one after the other, for as long as its DeviceScope lasts. What is copied from has to stay until finish().
class WeightUpload {
 public:
  // Throws as Buffer and DeviceQueue, as everything here does.
  explicit WeightUpload(const DeviceApi& api) : api_(api), queue_(api) {}
  ~WeightUpload() { queue_.wait_whatever_comes(); }

  void copy(Buffer& to, const Buffer& from);
  void copy(Linear& to, const Linear& from);  // of any type but eight bits
  void copy(LayerNorm& to, const LayerNorm& from);
  void finish() {
    queue_.wait();
    repacked_.clear();
    repacked_bytes_ = 0;
    scales_.clear();
  }

 private:
  void copy(PackedMatrix& to, const PackedMatrix& from);

  const DeviceApi& api_;
  std::vector<PackedMatrix> repacked_;  // on their way
  int64_t repacked_bytes_ = 0;
  std::vector<Buffer> scales_;
  DeviceQueue queue_;
};

}  // namespace tw
