// A progress bar on standard error, for people who wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace tuwen_cli {

// Shows itself only on a terminal, and only once the work has taken two seconds; erases itself at the end.
class Progress {
 public:
  Progress(size_t total, std::string unit, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(size_t items);

 private:
  using Clock = std::chrono::steady_clock;
  void draw(double seconds) const;

  size_t total_, done_ = 0;
  std::string unit_;
  bool enabled_, drawn_ = false;
  Clock::time_point start_ = Clock::now(), last_drawn_ = start_;
};

}  // namespace tuwen_cli
