// Copies of a model's weights in a device's memory.
#pragma once

#include <vector>

#include "kernels/device.h"
#include "kernels/ops.h"

namespace tw {

// Makes one after the other, for as long as its DeviceScope lasts. What is copied from has to stay until finish().
class WeightUpload {
 public:
  // `plain`: weights in bf16 and f16 for the device's library too. Throws as Buffer and DeviceQueue, as everything here
  // does.
  WeightUpload(const Device& device, bool plain)
      : api_(*device.handle.api), in_tiles_(device.table->weights_in_tiles), plain_(plain), queue_(api_) {}
  ~WeightUpload() { queue_.wait_whatever_comes(); }

  void copy(Buffer& to, const Buffer& from);
  void copy(Linear& to, const Linear& from);  // of any type but eight bits
  void copy(LayerNorm& to, const LayerNorm& from);
  void finish() {
    queue_.wait();
    repacked_.clear();
    repacked_bytes_ = 0;
    vectors_.clear();
  }
  int64_t plain_bytes() const { return plain_bytes_; }  // of what the library alone reads

 private:
  void copy(PackedMatrix& to, const PackedMatrix& from);
  void repack(PackedMatrix& to, PackedMatrix made);
  void copy_plain(Linear& to, const Linear& from);

  const DeviceApi& api_;
  const bool in_tiles_;  // the device's products in bf16, f16 and e4m3 read tiles
  const bool plain_;
  std::vector<PackedMatrix> repacked_;  // on their way
  int64_t repacked_bytes_ = 0;
  std::vector<Buffer> vectors_;  // on their way
  int64_t plain_bytes_ = 0;
  DeviceQueue queue_;
};

}  // namespace tw
