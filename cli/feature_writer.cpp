#include "cli/feature_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "cli/command.h"
#include "cli/embedding_file.h"
#include "cli/lines.h"
#include "cli/output_file.h"
#include "cli/python_json.h"

namespace tuwen_cli {
namespace {

std::string row_start(const std::string& id_name, int64_t id) {
  return "{\"" + id_name + "\": " + std::to_string(id) + ", \"feature\": [";
}

}  // namespace

FeatureWriter::FeatureWriter(Job job)
    : job_(std::move(job)),
      partial_(job_.out + ".partial"),
      job_file_(partial_ + ".job"),
      npy_(job_.out.ends_with(".npy")) {
  check_feature_path("--out", job_.out);
  descriptor_ = open(partial_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("cannot be written");
  try {
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) throw Failure(partial_ + ": another process is writing it");
      fail("cannot be locked");
    }
    const std::string described = job_.description + "\n";
    const std::string begun = text_of_file(job_file_).value_or("");
    int64_t bytes = 0;
    if (begun == described && !job_.restart) {
      done_ = npy_ ? whole_npy_rows(bytes) : whole_json_rows(bytes);
    } else if (!begun.empty() && lseek(descriptor_, 0, SEEK_END) > 0 && !job_.restart) {
      throw Failure(partial_ + ": was begun by another job; --restart begins anew. Expected '" + job_.description +
                    "', found '" + begun.substr(0, begun.find('\n')) + "'");
    }
    if (ftruncate(descriptor_, bytes) != 0 || lseek(descriptor_, bytes, SEEK_SET) < 0) fail("cannot be cut");
    if (begun != described) {
      OutputFile file(job_file_);
      file.write(described);
      file.commit();
    }
    if (npy_ && bytes == 0) write(npy_header(job_.ids.size(), {job_.columns}));
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

FeatureWriter::~FeatureWriter() {
  if (descriptor_ >= 0) close(descriptor_);
}

// A row counts when it begins as the row of its place does and is whole; after a power failure parts of a file may be
// zeros.
size_t FeatureWriter::whole_json_rows(int64_t& bytes) const {
  std::ifstream in(partial_, std::ios::binary);
  size_t rows = 0;
  for (std::string line; rows < job_.ids.size() && std::getline(in, line) && !in.eof(); ++rows) {
    const auto numbers = static_cast<size_t>(std::count(line.begin(), line.end(), ' '));  // one in front of each
    const bool whole = line.starts_with(row_start(job_.id_name, job_.ids[rows])) && line.ends_with("]}") &&
                       numbers == job_.columns + 2 && line.find('\0') == std::string::npos;
    if (!whole) break;
    bytes += static_cast<int64_t>(line.size()) + 1;
  }
  return rows;
}

size_t FeatureWriter::whole_npy_rows(int64_t& bytes) const {
  const std::string header = npy_header(job_.ids.size(), {job_.columns});
  std::ifstream in(partial_, std::ios::binary);
  std::string found(header.size(), '\0');
  if (!in.read(found.data(), static_cast<std::streamsize>(found.size())) || found != header) return 0;
  std::string row(job_.columns * sizeof(float), '\0');
  size_t rows = 0;
  while (rows < job_.ids.size() && in.read(row.data(), static_cast<std::streamsize>(row.size())) &&
         row.find_first_not_of('\0') != std::string::npos) {
    ++rows;
  }
  bytes = static_cast<int64_t>(header.size() + rows * row.size());
  return rows;
}

void FeatureWriter::add(std::span<const float> rows) {
  std::string bytes;
  const size_t count = rows.size() / job_.columns;
  for (size_t r = 0; r < count; ++r) {
    const auto row = rows.subspan(r * job_.columns, job_.columns);
    if (npy_) {
      bytes.append(reinterpret_cast<const char*>(row.data()), row.size_bytes());
      continue;
    }
    bytes += row_start(job_.id_name, job_.ids[done_ + r]);
    bytes.pop_back();  // the list writes its own bracket
    append_python_floats(bytes, row);
    bytes += "}\n";
  }
  write(bytes);
  done_ += count;
}

void FeatureWriter::write(const std::string& bytes) {
  for (std::string_view rest = bytes; !rest.empty();) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

void FeatureWriter::finish() {
  if (npy_) {
    OutputFile ids(ids_path(job_.out));
    ids.write(npy_header(job_.ids.size(), {}, "<i8"));
    ids.write({reinterpret_cast<const char*>(job_.ids.data()), job_.ids.size() * sizeof(int64_t)});
    ids.commit();
  }
  if (fsync(descriptor_) != 0 && errno != EINVAL) fail("cannot be written");
  if (rename(partial_.c_str(), job_.out.c_str()) != 0) fail("cannot be put in place");
  unlink(job_file_.c_str());
}

void FeatureWriter::fail(const char* what) const {
  throw Failure(partial_ + ": " + what + ": " + std::strerror(errno));
}

std::string ids_path(const std::string& npy) { return npy.substr(0, npy.size() - 4) + ".ids.npy"; }

void check_feature_path(const std::string& option, const std::string& path) {
  if (!path.ends_with(".npy") && !path.ends_with(".jsonl")) {
    throw UsageError(option + " " + path + ": expected a name ending in .npy or .jsonl");
  }
}

}  // namespace tuwen_cli
