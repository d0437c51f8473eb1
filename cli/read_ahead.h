// Values made ahead on threads of their own, for one that takes them.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace tuwen_cli {

// What of a ReadAhead is taken next: the value of the lowest number, or one of those that are ready.
enum class Order { kept, as_ready };

// Items [begin, end): make(i) on `threads` threads at once, each i once and in ascending order, from the construction
// on. Memory: a thread begins no item while `bytes_ahead` or more bytes wait to be taken, or `items_ahead` items are
// begun and not taken; so what waits is less than bytes_ahead and one value a thread, beside what make() itself needs.
//
// Owns its threads and the values until they are taken. What `make` and `size` refer to has to live as long as this.
template <class Value>
class ReadAhead {
 public:
  struct Item {
    size_t index;
    Value value;
  };
  struct Source {
    size_t begin = 0, end = 0;
    std::function<Value(size_t index)> make;   // by several threads at once
    std::function<size_t(const Value&)> size;  // bytes
    std::function<bool()> stopped;             // asked now and then: whether to wait no longer
    Order order = Order::kept;
    int threads = 1;
    size_t bytes_ahead = size_t{32} << 20, items_ahead = 4096;
  };

  explicit ReadAhead(Source source) : source_(std::move(source)), next_(source_.begin), first_(source_.begin) {
    const size_t items = source_.end - source_.begin;
    const size_t threads = std::min(items, static_cast<size_t>(std::max(1, source_.threads)));
    try {
      for (size_t t = 0; t < threads; ++t) threads_.emplace_back([this] { work(); });
    } catch (...) {
      end();
      throw;
    }
  }
  // Waits for the items that are being made.
  ~ReadAhead() { end(); }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // 1 to `most` items: waits until so many can be taken or no more will come without taking some. None when all have
  // been taken, or stopped() says so. What make(i) threw is thrown in the place of item i.
  std::vector<Item> take(size_t most) {
    std::vector<Item> taken;
    {
      std::unique_lock lock(mutex_);
      while (!can_take(most)) {
        if (source_.stopped()) return taken;
        made_.wait_for(lock, kPatience);
      }
      while (taken.size() < most && can_take(1) && !waiting_.empty()) {
        auto next = waiting_.begin();
        if (next->second.error) {
          if (taken.empty()) std::rethrow_exception(next->second.error);
          break;
        }
        waiting_bytes_ -= next->second.bytes;
        taken.push_back({next->first, *std::move(next->second.value)});
        waiting_.erase(next);
        ++first_;
      }
    }
    taken_.notify_all();
    return taken;
  }
  // Whether every item has been taken.
  bool finished() const { return first_ == source_.end; }

 private:
  struct Made {
    std::optional<Value> value;
    std::exception_ptr error;
    size_t bytes = 0;
  };
  static constexpr auto kPatience = std::chrono::milliseconds(100);

  bool has_room() const { return waiting_bytes_ < source_.bytes_ahead && next_ - first_ < source_.items_ahead; }

  // Whether `most` items, or all that come without taking some, lie ready; up to an error.
  bool can_take(size_t most) const {
    if (first_ == source_.end) return true;
    size_t ready = 0;
    for (const auto& [index, made] : waiting_) {
      if (source_.order == Order::kept && index != first_ + ready) break;
      if (made.error || ++ready == most) return true;
    }
    return ready > 0 && (first_ + ready == source_.end || !has_room());
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      taken_.wait(lock, [&] { return stop_ || next_ == source_.end || has_room(); });
      if (stop_ || next_ == source_.end) return;
      const size_t index = next_++;
      lock.unlock();
      Made made;
      try {
        made.value.emplace(source_.make(index));
        made.bytes = source_.size(*made.value);
      } catch (...) {
        made.error = std::current_exception();
      }
      lock.lock();
      if (made.error) stop_ = true;  // who takes the items stops there
      waiting_bytes_ += made.bytes;
      waiting_.emplace(index, std::move(made));
      made_.notify_one();
    }
  }

  void end() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    taken_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  const Source source_;
  std::mutex mutex_;  // of all below but the threads
  std::condition_variable made_, taken_;
  std::map<size_t, Made> waiting_;  // by index
  size_t waiting_bytes_ = 0;
  size_t next_;   // the next to be begun
  size_t first_;  // how many have been taken, from begin on; with Order::kept: which is next
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tuwen_cli
