#include "cli/npy_input.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <regex>

#include "cli/command.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

constexpr size_t kMostHeader = 65536;

}  // namespace

NpyInput::NpyInput(const std::string& path, const std::string& type, size_t dimensions) : path_(path) {
  errno = 0;
  in_.open(path, std::ios::binary);
  if (!in_) throw Failure(path + ": cannot be opened: " + std::strerror(errno));
  const auto fail = [&](const std::string& field, const std::string& expected, const std::string& found) {
    throw Failure(path_ + ": " + field + ": expected " + expected + ", found " + one_line(found));
  };
  unsigned char start[12] = {};
  in_.read(reinterpret_cast<char*>(start), 10);
  if (!in_ || std::memcmp(start, "\x93NUMPY", 6) != 0) fail("header", "an .npy file", "something else");
  size_t size = start[8] + size_t{256} * start[9];
  if (start[6] > 1) {  // four bytes of length
    in_.read(reinterpret_cast<char*>(start + 10), 2);
    size += (size_t{start[10]} << 16) + (size_t{start[11]} << 24);
  }
  if (size > kMostHeader) fail("header", "at most 65536 bytes", std::to_string(size));
  std::string header(size, '\0');
  if (!in_.read(header.data(), static_cast<std::streamsize>(size))) fail("header", "whole", "a cut one");

  std::smatch found;
  static const std::regex kType("'descr': *'([^']*)'"), kOrder("'fortran_order': *False"),
      kShape("'shape': *\\(([0-9, ]*)\\)");
  if (!std::regex_search(header, found, kType) || found[1] != type) fail("type", type, header);
  if (!std::regex_search(header, kOrder)) fail("fortran_order", "False", header);
  if (!std::regex_search(header, found, kShape)) fail("shape", "a tuple", header);
  uint64_t elements = 1;
  const std::string shape = found[1];
  static const std::regex kNumber("[0-9]{1,15}");
  for (std::sregex_iterator it(shape.begin(), shape.end(), kNumber), end; it != end; ++it) {
    shape_.push_back(std::stoll(it->str()));
    const auto extent = static_cast<uint64_t>(shape_.back());
    if (extent != 0 && elements > (uint64_t{1} << 60) / extent) fail("shape", "what fits in memory", shape);
    elements *= extent;
  }
  if (shape_.size() != dimensions) fail("shape", std::to_string(dimensions) + " dimensions", "(" + shape + ")");
  const uint64_t bytes = elements * (type == "<i8" ? 8 : 4);
  const auto here = static_cast<uint64_t>(in_.tellg()), there = std::filesystem::file_size(path);
  if (there - here != bytes) {
    fail("size", std::to_string(bytes) + " bytes behind the header", std::to_string(there - here));
  }
}

void NpyInput::read(void* out, size_t bytes) {
  if (!in_.read(static_cast<char*>(out), static_cast<std::streamsize>(bytes))) {
    throw Failure(path_ + ": cannot be read: " + std::strerror(errno));
  }
}

}  // namespace tuwen_cli
