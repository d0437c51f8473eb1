// A block while it runs: what block.cpp makes of the operations of its threads, and launches.cpp of launches.
#pragma once

#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/host_shim/block.h"
#include "kernels/cuda/host_shim/fiber.h"
#include "kernels/cuda/host_shim/sm90.h"

namespace tw::shim {

// Memory shared by a block, exactly as long as asked for, so that the address sanitizer sees what runs over its end;
// without it a few watched words do.
class SharedMemory {
 public:
  explicit SharedMemory(size_t bytes)
      : bytes_(bytes), data_(static_cast<std::byte*>(operator new(bytes + kWatched, kAlign))) {
    poison(data_, bytes + kWatched);
  }
  SharedMemory(SharedMemory&& other) noexcept : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory() { operator delete(data_, kAlign); }

  std::byte* data() const { return data_; }
  bool holds(const void* at, size_t bytes) const {
    const auto* first = static_cast<const std::byte*>(at);
    return first >= data_ && first + bytes <= data_ + bytes_;
  }
  bool intact() const {
    for (size_t i = bytes_; i < bytes_ + kWatched; ++i)
      if (data_[i] != static_cast<std::byte>(kPoison >> (i % 4 * 8))) return false;
    return true;
  }
  size_t bytes() const { return bytes_; }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t kWatched = 0;
#else
  static constexpr size_t kWatched = 64;
#endif
  static constexpr auto kAlign = std::align_val_t{128};
  size_t bytes_;
  std::byte* data_;
};

enum class State { ready, at_barrier, in_warp, asleep, behind_launches, ended };

struct Thread {
  Fiber fiber;
  State state = State::ended;
  Index3 index;
  int number = 0;
  Site site{};          // where it waits
  bool waited = false;  // for earlier launches
  uint32_t mask = 0;
  void* operand = nullptr;
  std::vector<std::vector<Copy>> groups;  // committed, oldest first
  std::vector<Copy> copies;               // not committed
};

// Thrown on a fiber, and caught there.
struct Abandoned {};

// One block of a launch after the other, its threads as fibers. Errors leave begin(), advance() and
// continue_after_launches() as BlockError.
class Block {
 public:
  // `body` is what each thread runs; it has to live as long.
  Block(const Launch& launch, const std::function<void()>& body);
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block();

  // Its threads are ready. `earlier_done`: launches in front of this one have run; else continue_after_launches() says
  // when.
  void begin(const Index3& index, bool earlier_done);
  void continue_after_launches();
  // Until all threads have ended, or none can go on without the launches in front.
  void advance(const Settings& settings, uint64_t& random);

  Thread& current() { return *current_; }
  const Launch& launch() const { return launch_; }
  const Index3& index() const { return index_; }

  void barrier(Site site);
  void collective(Site site, uint32_t mask, void* operand, void (*compute)(Lanes&));
  std::byte* dynamic_shared() { return memory_.front().second.data(); }
  std::byte* shared_array(Site site, size_t bytes);
  void begin_copy(const Copy& copy);
  void wait_for_earlier_launches(Site site);
  void copies_from(const void* from, size_t bytes);
  void sleep(Site site) {
    current_->state = State::asleep;
    current_->site = site;
    current_->fiber.pause();
  }
  void wake(int thread) { threads_[static_cast<size_t>(thread)]->state = State::ready; }
  Sm90& sm90() { return sm90_; }
  [[noreturn]] void fail(const std::string& message);

 private:
  static void entry(void* block) {
    try {
      static_cast<Block*>(block)->body_();
    } catch (const Abandoned&) {  // the error is noted
    }
  }
  void put_in_order(const Settings& settings, uint64_t& random);
  bool deliver(const Settings& settings, uint64_t& random);
  void end(Thread& thread);
  std::string name(const Thread& t) const {
    return "thread (" + std::to_string(t.index.x) + ", " + std::to_string(t.index.y) + ", " +
           std::to_string(t.index.z) + ") of block (" + std::to_string(index_.x) + ", " + std::to_string(index_.y) +
           ", " + std::to_string(index_.z) + ")";
  }
  std::string who_waits() const;

  Launch launch_;
  const std::function<void()>& body_;
  Index3 index_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<size_t> order_;
  Thread* current_ = nullptr;
  std::vector<std::pair<Site, SharedMemory>> memory_;  // first the dynamic one
  Sm90 sm90_;
  std::string error_;
  // What was at the addresses that copies began to read before the launches in front had run.
  struct EarlyCopy {
    const void* from;
    std::vector<std::byte> bytes;
    std::string thread;
  };
  std::vector<EarlyCopy> early_copies_;
  bool earlier_done_ = true;
};

// The one whose threads run on this CPU thread; null: none.
extern thread_local Block* running;

}  // namespace tw::shim
