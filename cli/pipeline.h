// Making values, computing on them and writing the results at the same time: threads of a ReadAhead make, the caller
// computes, one thread writes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "cli/interrupt.h"
#include "cli/read_ahead.h"

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

// Items [begin, end) that are arrays of values, in their order, until the user interrupts; `make` is left to the
// caller.
template <class Value>
typename ReadAhead<Value>::Source items_ahead(size_t begin, size_t end, int threads) {
  typename ReadAhead<Value>::Source source;
  source.begin = begin;
  source.end = end;
  source.size = [](const Value& value) { return value.size() * sizeof(value[0]); };
  source.stopped = interrupted;
  source.threads = threads;
  return source;
}

// Takes all of `input`, whose order is kept, in batches of at most `batch`: compute(first, values) on the calling
// thread, write(first, result) on a thread of its own, in order. What a part of it throws is thrown here once writing
// has ended; results that were computed before are written first, and so they are when the user interrupts, which is a
// Failure with the words of check_interrupt(). At most three results wait to be written.
template <class Result, class Value, class Compute, class Write>
void run_pipeline(ReadAhead<Value>& input, size_t batch, const char* left_behind, Compute compute, Write write) {
  constexpr size_t kResultsBehind = 3;
  Handover<std::pair<size_t, Result>> results(kResultsBehind);
  std::exception_ptr write_error;
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
    while (!input.finished()) {
      check_interrupt(left_behind);
      auto items = input.take(batch);
      if (items.empty()) continue;  // interrupted
      const size_t first = items.front().index;
      std::vector<Value> values;
      for (auto& item : items) values.push_back(std::move(item.value));
      if (!results.push({first, compute(first, std::as_const(values))})) break;
    }
  } catch (...) {
    error = std::current_exception();
  }
  results.close();
  writer.join();
  if (write_error) std::rethrow_exception(write_error);
  if (error) std::rethrow_exception(error);
}

}  // namespace tuwen_cli
