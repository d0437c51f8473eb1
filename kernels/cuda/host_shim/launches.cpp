// Launches: run at once, or kept by somebody, and begun before those in front of them.
#include "kernels/cuda/host_shim/running_block.h"

namespace tw::shim {
namespace {

thread_local Settings settings_in_use;
thread_local void (*keep_launch)(void* stream, Kept launch) = nullptr;

// A launch: blocks one after the other.
class Progress {
 public:
  Progress(const Launch& launch, std::function<void()> body)
      : grid_(launch.grid), body_(std::move(body)), block_(launch, body_), random_(settings_.seed) {}

  // One block, as far as it comes without the launches in front: the first, the last or some other.
  void begin() {
    begun_ = settings_.order == Order::forward ? 0 : blocks() - 1;
    if (settings_.order == Order::shuffled) begun_ = static_cast<int64_t>(random_ % static_cast<uint64_t>(blocks()));
    const Scope scope(block_);
    block_.begin(index(begun_), false);
    block_.advance(settings_, random_);
  }
  // That block to its end, and all others.
  void finish() {
    const Scope scope(block_);
    if (begun_ >= 0) {
      block_.continue_after_launches();
      block_.advance(settings_, random_);
    }
    for (int64_t i = 0; i < blocks(); ++i) {
      if (i == begun_) continue;
      block_.begin(index(i), true);
      block_.advance(settings_, random_);
    }
  }

 private:
  struct Scope {
    explicit Scope(Block& block) { running = &block; }
    ~Scope() { running = nullptr; }
  };
  int64_t blocks() const { return int64_t{grid_.x} * grid_.y * grid_.z; }
  Index3 index(int64_t i) const {
    const auto n = static_cast<uint64_t>(i);
    return {static_cast<unsigned>(n % grid_.x), static_cast<unsigned>(n / grid_.x % grid_.y),
            static_cast<unsigned>(n / grid_.x / grid_.y)};
  }

  Index3 grid_;
  std::function<void()> body_;
  Block block_;
  Settings settings_ = settings_in_use;
  uint64_t random_;
  int64_t begun_ = -1;
};

// What no device takes.
void check_shape(const Launch& launch) {
  const uint64_t threads = uint64_t{launch.block.x} * launch.block.y * launch.block.z;
  if (running != nullptr) running->fail("a launch from within a kernel");
  if (threads == 0 || threads > 1024) throw BlockError("a block of " + std::to_string(threads) + " threads");
  if (launch.grid.y > 65535 || launch.grid.z > 65535) throw BlockError("a grid of more than 65535 blocks in y or z");
  if (launch.grid.x == 0 || launch.grid.y == 0 || launch.grid.z == 0) throw BlockError("an empty grid");
}

}  // namespace

void set_settings(const Settings& settings) { settings_in_use = settings; }

void keep_launches(void (*keep)(void* stream, Kept launch)) { keep_launch = keep; }

void start(void* stream, const Launch& launch, const std::function<void()>& body) {
  if (keep_launch == nullptr || stream == nullptr) return run(launch, body);
  Kept kept{[launch, body] { run(launch, body); }, {}};
  if (launch.early) {
    kept.begin = [launch, body]() -> std::function<void()> {
      check_shape(launch);
      const auto progress = std::make_shared<Progress>(launch, body);
      progress->begin();
      return [progress] { progress->finish(); };
    };
  }
  keep_launch(stream, std::move(kept));
}

void run(const Launch& launch, const std::function<void()>& body) {
  check_shape(launch);
  Progress(launch, body).finish();
}

}  // namespace tw::shim
