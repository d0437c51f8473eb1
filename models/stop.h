// A deadline or a caller's wish to stop, looked at between layers.
#pragma once

#include <atomic>
#include <chrono>

namespace tw {

// Shared by a team. Every member looks for itself, and one that is to stop leaves the region without another operation:
// the others do not need it, and stop at their own next layer.
class Stop {
 public:
  using Clock = std::chrono::steady_clock;

  Stop() = default;
  Stop(const std::atomic<bool>* cancel, Clock::time_point deadline) : cancel_(cancel), deadline_(deadline) {}

  // Called once a layer. True: leave.
  bool at_layer() {
    if (stopped()) return true;
    const bool wished = cancel_ != nullptr && cancel_->load(std::memory_order_relaxed);
    const bool late = deadline_ != Clock::time_point::max() && Clock::now() >= deadline_;
    if (wished || late) stopped_.store(true, std::memory_order_relaxed);
    return wished || late;
  }
  // Somebody has stopped: what the region was to compute may be incomplete.
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

 private:
  const std::atomic<bool>* cancel_ = nullptr;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::atomic<bool> stopped_{false};
};

}  // namespace tw
