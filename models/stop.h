// A deadline or a caller's wish to stop, looked at between layers.
#pragma once

#include <atomic>
#include <chrono>

#include "core/parallel.h"

namespace tw {

// Shared by a team. Member 0 looks and publishes; the others learn of it one layer later, all at the same one, because
// a barrier lies between the two. So nobody is left waiting for a member that has gone.
class Stop {
 public:
  using Clock = std::chrono::steady_clock;

  Stop() = default;
  Stop(const std::atomic<bool>* cancel, Clock::time_point deadline) : cancel_(cancel), deadline_(deadline) {}

  // Collective; called once a layer with the layer's number. True: everybody leaves.
  bool at_layer(const Member& member, int64_t layer) {
    if (member.index == 0) {
      const bool wished = cancel_ != nullptr && cancel_->load(std::memory_order_relaxed);
      const bool late = deadline_ != Clock::time_point::max() && Clock::now() >= deadline_;
      flags_[layer & 1].store(wished || late || stopped_, std::memory_order_relaxed);
      stopped_ = stopped_ || wished || late;
    }
    return layer > 0 && flags_[(layer - 1) & 1].load(std::memory_order_relaxed);
  }
  // After the region.
  bool stopped() const { return stopped_; }

 private:
  const std::atomic<bool>* cancel_ = nullptr;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::atomic<bool> flags_[2] = {false, false};
  bool stopped_ = false;
};

}  // namespace tw
