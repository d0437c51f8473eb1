#include "core/parallel.h"

#include <immintrin.h>
#include <pthread.h>
#include <signal.h>

#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "core/fp_environment.h"

namespace tw {
namespace {

// About 30 us of spinning before a thread parks: longer than any op's imbalance, shorter than a scheduling quantum.
constexpr int kSpins = 1000;

// Spins until ready() holds, at most kSpins times. True if it came to hold.
template <class Ready>
bool spin(Ready ready) {
  for (int i = 0; i < kSpins; ++i) {
    if (ready()) return true;
    _mm_pause();
  }
  return ready();
}

}  // namespace

Executor calling_thread() {
  return {[](void*, int, void (*task)(void*), void* argument) { task(argument); }, nullptr};
}

int64_t WorkFront::take(uint32_t op, Lane& lane, Range units) {
  uint64_t state = lane.claims.load(std::memory_order_acquire);
  for (;;) {
    const auto last = static_cast<uint32_t>(state >> 32);
    if (static_cast<int32_t>(last - op) > 0) return -1;  // the team is further
    const int64_t claimed = last == op ? static_cast<int64_t>(state & 0xFFFFFFFFu) : 0;
    if (units.begin + claimed >= units.end) return -1;
    const uint64_t next = uint64_t{op} << 32 | static_cast<uint64_t>(claimed + 1);
    if (lane.claims.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_acquire))
      return units.begin + claimed;
  }
}

bool WorkFront::finish(uint32_t op, int64_t count) {
  if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 < count) return false;
  done_.store(0, std::memory_order_relaxed);
  over_.store(op + 1, std::memory_order_release);
  over_.notify_all();
  return true;
}

void WorkFront::wait(uint32_t op) {
  const auto is_over = [&] { return over_.load(std::memory_order_acquire) != op; };
  while (!spin(is_over)) over_.wait(op, std::memory_order_acquire);
}

void Team::run(void (*body)(void*, const Member&), void* region) {
  body_ = body;
  region_ = region;
  joined_.store(0, std::memory_order_release);
  if (wanted_ <= 1) return join(this);
  executor_.run(executor_.self, wanted_, &Team::join, this);
}

void Team::join(void* self) {
  Team& team = *static_cast<Team*>(self);
  const int index = team.joined_.fetch_add(1, std::memory_order_acq_rel);
  if (index >= team.wanted_) return;  // an executor that delivers more than was asked for
  const DefaultFpEnvironment environment;
  team.body_(team.region_, {.index = index, .count = team.wanted_});
}

// A job is offered by raising `epoch`. A worker takes part by claiming a ticket of that epoch; tickets are withdrawn
// when the caller is done, so a worker that wakes too late does not hold the caller up.
struct ThreadPool::Impl {
  std::vector<std::thread> workers;
  void (*task)(void*) = nullptr;
  void* argument = nullptr;
  alignas(64) std::atomic<uint32_t> epoch{0};
  alignas(64) std::atomic<uint64_t> tickets{0};  // epoch << 32 | tickets left
  alignas(64) std::atomic<int> running{0};       // workers inside the task
  std::atomic<bool> stop{false};

  void work() {
    uint32_t seen = 0;
    for (;;) {
      const auto offered = [&] { return epoch.load(std::memory_order_acquire) != seen; };
      while (!spin(offered)) epoch.wait(seen, std::memory_order_acquire);
      seen = epoch.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_acquire)) return;
      // Count ourselves in before claiming, so that the caller, who withdraws the tickets first and waits for `running`
      // second, sees every claim that succeeded.
      running.fetch_add(1, std::memory_order_acq_rel);
      if (claim(seen)) task(argument);
      if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_all();
    }
  }

  bool claim(uint32_t of_epoch) {
    uint64_t left = tickets.load(std::memory_order_acquire);
    while (static_cast<uint32_t>(left >> 32) == of_epoch && static_cast<uint32_t>(left) > 0)
      if (tickets.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel)) return true;
    return false;
  }

  void run(int wanted, void (*new_task)(void*), void* new_argument) {
    task = new_task;
    argument = new_argument;
    const uint32_t now = epoch.load(std::memory_order_relaxed) + 1;
    tickets.store((static_cast<uint64_t>(now) << 32) | static_cast<uint32_t>(wanted - 1), std::memory_order_release);
    epoch.store(now, std::memory_order_release);
    epoch.notify_all();
    new_task(new_argument);
    tickets.exchange(0, std::memory_order_acq_rel);
    for (int inside = running.load(std::memory_order_acquire); inside != 0;
         inside = running.load(std::memory_order_acquire)) {
      if (!spin([&] { return running.load(std::memory_order_acquire) == 0; }))
        running.wait(inside, std::memory_order_acquire);
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  // The host's signals are the host's: our threads take none.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  try {
    impl_->workers.reserve(static_cast<size_t>(threads > 1 ? threads - 1 : 0));
    for (int i = 1; i < threads; ++i) impl_->workers.emplace_back([impl = impl_.get()] { impl->work(); });
  } catch (const std::system_error&) {  // fewer threads, said by size()
  } catch (const std::bad_alloc&) {
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

ThreadPool::~ThreadPool() {
  impl_->stop.store(true, std::memory_order_release);
  impl_->epoch.fetch_add(1, std::memory_order_acq_rel);
  impl_->epoch.notify_all();
  for (std::thread& worker : impl_->workers) worker.join();
}

int ThreadPool::size() const { return static_cast<int>(impl_->workers.size()) + 1; }

Executor ThreadPool::executor() {
  return {[](void* self, int wanted, void (*task)(void*), void* argument) {
            static_cast<Impl*>(self)->run(wanted, task, argument);
          },
          impl_.get()};
}

}  // namespace tw
