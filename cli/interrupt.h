// Ctrl-C during long work: stop between two batches, so that temporary files are removed.
#pragma once

namespace tuwen_cli {

// Makes SIGINT and SIGTERM ask for a stop; a second one ends the process at once. A full quota ends no process either.
void catch_interrupts();
// Whether a stop has been asked for.
bool interrupted();
// Throws Failure if a stop has been asked for; `what` says what that leaves behind.
void check_interrupt(const char* what = "nothing was written");

}  // namespace tuwen_cli
