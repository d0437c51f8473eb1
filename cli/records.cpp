#include "cli/records.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>

#include "cli/base64.h"
#include "cli/command.h"
#include "cli/json_lines.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

struct Line {
  int64_t id;
  int64_t offset;  // bytes, of the first one
  size_t size;
  size_t number;  // from 1
};

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n\v\f";
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

int64_t picture_id(std::string_view line, const std::string& place) {
  const std::string_view text = line.substr(0, line.find('\t'));
  int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.size() == line.size() || text.empty() || error != std::errc() || end != text.data() + text.size()) {
    throw Failure(place + ": line: expected 'integer id TAB base64', found '" +
                  one_line(line.substr(0, std::min<size_t>(line.size(), 40))) + (line.size() > 40 ? "...'" : "'"));
  }
  return id;
}

class LinesFile : public Records {
 public:
  using IdOf = std::function<int64_t(std::string_view line, const std::string& place)>;

  LinesFile(const std::string& path, bool pictures) : path_(path), pictures_(pictures) {
    version_ = version_of(path);
    descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail("cannot be opened");
    try {
      index();
    } catch (...) {
      close(descriptor_);
      throw;
    }
  }
  ~LinesFile() override { close(descriptor_); }
  LinesFile(const LinesFile&) = delete;
  LinesFile& operator=(const LinesFile&) = delete;

  void sort_by_key() {
    std::sort(lines_.begin(), lines_.end(),
              [](const Line& a, const Line& b) { return std::to_string(a.id) < std::to_string(b.id); });
  }

  size_t size() const override { return lines_.size(); }
  int64_t id(size_t i) const override { return lines_[i].id; }
  std::string place(size_t i) const override {
    return at(lines_[i].number) + (pictures_ ? ": image " : ": text ") + std::to_string(lines_[i].id);
  }
  std::string read(size_t i) const override {
    const Line& line = lines_[i];
    std::string text(line.size, '\0');
    for (size_t done = 0; done < text.size();) {
      const ssize_t got = pread(descriptor_, text.data() + done, text.size() - done,
                                static_cast<off_t>(line.offset + static_cast<int64_t>(done)));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("cannot be read");
      if (got == 0) throw Failure(path_ + ": became shorter while it was read");
      done += static_cast<size_t>(got);
    }
    if (!pictures_) return parse_text(text, at(line.number)).text;
    const std::string_view base64 = stripped(std::string_view(text).substr(text.find('\t') + 1));
    return picture_of(base64, place(i));
  }
  std::string version() const override { return version_; }

 private:
  std::string at(size_t number) const { return path_ + ":" + std::to_string(number); }
  [[noreturn]] void fail(const char* what) const { throw Failure(path_ + ": " + what + ": " + std::strerror(errno)); }

  void index() {
    errno = 0;
    std::ifstream in(path_, std::ios::binary);
    int64_t offset = 0;
    size_t number = 0;
    for (std::string line; std::getline(in, line); offset += static_cast<int64_t>(line.size()) + 1) {
      ++number;
      const int64_t id = pictures_ ? picture_id(line, at(number)) : parse_text(line, at(number)).id;
      lines_.push_back({id, offset, line.size(), number});
    }
    if (in.bad()) fail("cannot be read");
    refuse_double_ids();
  }

  void refuse_double_ids() const {
    std::vector<std::pair<int64_t, size_t>> ids;  // and line numbers
    ids.reserve(lines_.size());
    for (const Line& line : lines_) ids.emplace_back(line.id, line.number);
    std::sort(ids.begin(), ids.end());
    const auto same =
        std::adjacent_find(ids.begin(), ids.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
    if (same == ids.end()) return;
    throw Failure(at((same + 1)->second) + ": " + (pictures_ ? "image " : "text ") + std::to_string(same->first) +
                  ": expected each id once, found it in line " + std::to_string(same->second) + " too");
  }

  std::string path_, version_;
  bool pictures_;
  int descriptor_ = -1;
  std::vector<Line> lines_;
};

}  // namespace

std::unique_ptr<Records> open_picture_lines(const std::string& path, bool key_order) {
  auto file = std::make_unique<LinesFile>(path, true);
  if (key_order) file->sort_by_key();
  return file;
}

std::unique_ptr<Records> open_text_lines(const std::string& path) { return std::make_unique<LinesFile>(path, false); }

std::string version_of(const std::string& path) {
  struct stat about = {};
  if (stat(path.c_str(), &about) != 0) throw Failure(path + ": cannot be opened: " + std::strerror(errno));
  if (!S_ISREG(about.st_mode)) throw Failure(path + ": expected a file");
  return std::to_string(about.st_size) + " bytes of " + std::to_string(about.st_mtim.tv_sec) + "." +
         std::to_string(about.st_mtim.tv_nsec);
}

std::string picture_of(std::string_view base64, const std::string& place) {
  std::string problem;
  auto bytes = decode_base64(base64, problem);
  if (!bytes) throw Failure(place + ": " + problem);
  return *std::move(bytes);
}

}  // namespace tuwen_cli
