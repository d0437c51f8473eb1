#include "cli/mapped_input.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/command.h"

namespace tuwen_cli {

MappedInput::MappedInput(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status = {};
  if (descriptor < 0 || fstat(descriptor, &status) != 0) {
    const int reason = errno;
    if (descriptor >= 0) close(descriptor);
    throw Failure(path + ": cannot be opened: " + std::strerror(reason));
  }
  size_ = static_cast<size_t>(status.st_size);
  const bool is_file = S_ISREG(status.st_mode);
  if (is_file && size_ > 0) mapping_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int reason = errno;
  close(descriptor);
  if (!is_file) throw Failure(path + ": expected a file, found something else");
  if (mapping_ == MAP_FAILED) throw Failure(path + ": cannot be read: " + std::strerror(reason));
}

MappedInput::~MappedInput() {
  if (mapping_ != nullptr) munmap(mapping_, size_);
}

}  // namespace tuwen_cli
