#include "cli/picture_walk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/command.h"

namespace tuwen_cli {
namespace {

namespace fs = std::filesystem;

bool named_like_a_picture(const std::string& name) {
  static constexpr std::string_view kEndings[] = {"jpg", "jpeg", "jpe",  "jfif", "png", "webp", "bmp", "dib",
                                                  "gif", "heic", "heif", "avif", "tif", "tiff", "jxl", "jp2"};
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  std::string ending = name.substr(dot + 1);
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(std::begin(kEndings), std::end(kEndings), ending) != std::end(kEndings);
}

class Walk {
 public:
  explicit Walk(const std::string& root) : root_(root) {}

  PictureWalk run() {
    list("");
    while (!folders_.empty()) {
      const std::string folder = std::move(folders_.back());
      folders_.pop_back();
      list(folder);
    }
    std::sort(found_.pictures.begin(), found_.pictures.end(),
              [](const FoundPicture& a, const FoundPicture& b) { return a.path < b.path; });
    std::sort(found_.skipped.begin(), found_.skipped.end(),
              [](const SkippedPath& a, const SkippedPath& b) { return a.path < b.path; });
    return std::move(found_);
  }

 private:
  void list(const std::string& folder) {
    std::error_code error;
    fs::directory_iterator entries(fs::path(root_) / folder, error);
    while (!error && entries != fs::directory_iterator()) {
      visit(folder, *entries);
      entries.increment(error);
    }
    if (!error) return;
    if (folder.empty()) throw Failure(root_ + ": cannot be listed: " + error.message());
    found_.skipped.push_back({folder, "cannot be listed: " + error.message()});
  }

  void visit(const std::string& folder, const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".")) return;
    const std::string path = folder.empty() ? name : folder + "/" + name;
    std::error_code error;
    if (fs::is_directory(entry.symlink_status(error))) {
      folders_.push_back(path);
      return;
    }
    if (!named_like_a_picture(name)) return;
    struct stat status = {};
    if (stat(entry.path().c_str(), &status) != 0) {
      found_.skipped.push_back({path, std::string("cannot be opened: ") + std::strerror(errno)});
    } else if (S_ISREG(status.st_mode)) {
      found_.pictures.push_back({path, static_cast<uint64_t>(status.st_size), modified_at(status)});
    }
  }

  const std::string& root_;
  std::vector<std::string> folders_;
  PictureWalk found_;
};

}  // namespace

int64_t modified_at(const struct stat& status) {
  constexpr int64_t kNanoseconds = 1'000'000'000;
  return status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec;
}

PictureWalk walk_pictures(const std::string& root) { return Walk(root).run(); }

bool inside_skipped(const PictureWalk& walk, std::string_view path) {
  return std::any_of(walk.skipped.begin(), walk.skipped.end(), [&](const SkippedPath& skipped) {
    return path.size() > skipped.path.size() && path.starts_with(skipped.path) && path[skipped.path.size()] == '/';
  });
}

}  // namespace tuwen_cli
