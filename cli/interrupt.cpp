#include "cli/interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>

#include "cli/command.h"

namespace tuwen_cli {
namespace {

// Read by any thread while a signal sets it: both allow lock-free atomics alone ([support.signal]).
std::atomic<bool> g_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void ask_to_stop(int signal) {
  const int interrupted_error = errno;  // whoever was interrupted may be about to read it
  g_stop.store(true, std::memory_order_relaxed);
  std::signal(signal, SIG_DFL);
  errno = interrupted_error;
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the file size limit then fails like one to a full disk
}

bool interrupted() { return g_stop.load(std::memory_order_relaxed); }

void check_interrupt(const char* what) {
  if (interrupted()) throw Failure(std::string("interrupted; ") + what);
}

}  // namespace tuwen_cli
