#include "cli/interrupt.h"

#include <csignal>
#include <string>

#include "cli/command.h"

namespace tuwen_cli {
namespace {

volatile std::sig_atomic_t g_stop = 0;

void ask_to_stop(int signal) {
  g_stop = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the file size limit then fails like one to a full disk
}

bool interrupted() { return g_stop != 0; }

void check_interrupt(const char* what) {
  if (interrupted()) throw Failure(std::string("interrupted; ") + what);
}

}  // namespace tuwen_cli
