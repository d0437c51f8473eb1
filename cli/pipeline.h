// Reading, computing and writing at the same time: one thread reads ahead, the caller computes, one thread writes.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace tuwen_cli {

// Hands values from one thread to another, at most `limit` of them waiting.
template <class T>
class Handover {
 public:
  explicit Handover(size_t limit) : limit_(limit) {}

  // Waits for room. False: the other side has closed, and the value is dropped.
  bool push(T value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || values_.size() < limit_; });
    if (closed_) return false;
    values_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }
  // Waits for a value. Nothing: closed, and none is left.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !values_.empty(); });
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    changed_.notify_all();
    return value;
  }
  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
  size_t limit_;
  bool closed_ = false;
};

// Items [begin, end) in batches: read(i) on a thread of its own, some batches ahead; compute(first, values) on the
// calling thread; write(first, results) on another, in order. What one of them throws is thrown here once the threads
// have ended; results computed before are written first.
template <class Value, class Result, class Read, class Compute, class Write>
void run_pipeline(size_t begin, size_t end, size_t batch, Read read, Compute compute, Write write) {
  constexpr size_t kBatchesAhead = 3;
  struct Batch {
    size_t first;
    std::vector<Value> values;
    std::exception_ptr error;  // of reading the item behind the last value
  };
  Handover<Batch> inputs(kBatchesAhead);
  Handover<std::pair<size_t, Result>> results(kBatchesAhead);
  std::exception_ptr write_error;

  std::thread reader([&] {
    for (size_t first = begin; first < end;) {
      Batch next{first, {}, nullptr};
      const size_t last = std::min(end, first + batch);
      try {
        for (size_t i = first; i < last; ++i) next.values.push_back(read(i));
      } catch (...) {
        next.error = std::current_exception();
      }
      const bool failed = next.error != nullptr;
      if (!inputs.push(std::move(next)) || failed) break;
      first = last;
    }
    inputs.close();
  });
  std::thread writer([&] {
    try {
      while (auto next = results.pop()) write(next->first, std::move(next->second));
    } catch (...) {
      write_error = std::current_exception();
      results.close();
    }
  });

  std::exception_ptr error;
  try {
    while (auto next = inputs.pop()) {
      if (!next->values.empty() && !results.push({next->first, compute(next->first, std::as_const(next->values))})) {
        break;
      }
      if (next->error) std::rethrow_exception(next->error);
    }
  } catch (...) {
    error = std::current_exception();
  }
  inputs.close();
  results.close();
  reader.join();
  writer.join();
  if (write_error) std::rethrow_exception(write_error);
  if (error) std::rethrow_exception(error);
}

}  // namespace tuwen_cli
