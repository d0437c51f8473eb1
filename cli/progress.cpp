#include "cli/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace tuwen_cli {
namespace {

constexpr double kPatienceSeconds = 2.0, kRedrawSeconds = 0.1;
constexpr size_t kBarWidth = 30;

std::string duration(double seconds) {
  char text[32];
  const auto whole = static_cast<long>(seconds + 0.5);
  std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

double since(std::chrono::steady_clock::time_point then, std::chrono::steady_clock::time_point now) {
  return std::chrono::duration<double>(now - then).count();
}

}  // namespace

Progress::Progress(size_t total, std::string unit, bool quiet)
    : total_(total), unit_(std::move(unit)), enabled_(!quiet && isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::advance(size_t items) {
  done_ += items;
  const auto now = Clock::now();
  const double elapsed = since(start_, now);
  if (!enabled_ || elapsed < kPatienceSeconds || since(last_drawn_, now) < kRedrawSeconds) return;
  last_drawn_ = now;
  drawn_ = true;
  draw(elapsed);
}

void Progress::draw(double seconds) const {
  const double share = total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  const auto filled = static_cast<size_t>(share * kBarWidth);
  const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
  const double rate = static_cast<double>(done_) / seconds;
  const double left = rate > 0 ? static_cast<double>(total_ - done_) / rate : 0.0;
  std::fprintf(stderr, "\r[%s] %zu/%zu %s  %.1f/s  %s left\033[K", bar.c_str(), done_, total_, unit_.c_str(), rate,
               duration(left).c_str());
}

}  // namespace tuwen_cli
