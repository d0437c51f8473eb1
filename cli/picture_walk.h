// The pictures below a folder.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tuwen_cli {

struct FoundPicture {
  std::string path;      // below the root, "/" between folders
  uint64_t size = 0;     // bytes
  int64_t modified = 0;  // nanoseconds since 1970
};

// Nanoseconds since 1970 of the last change.
int64_t modified_at(const struct stat& status);

// What is left out, and why.
struct SkippedPath {
  std::string path;
  std::string reason;
};

struct PictureWalk {
  std::vector<FoundPicture> pictures;  // in the order of their paths' bytes
  std::vector<SkippedPath> skipped;    // folders and files that the operating system did not show
};

// Files whose names end as pictures' do, at any depth; of kinds that tuwen cannot decode too, so that these do not stay
// away in silence. Names that begin with a dot are left out, links to folders are not followed, links to files are.
// Throws Failure if the root itself cannot be listed.
PictureWalk walk_pictures(const std::string& root);

// Whether `path` is inside a folder that was skipped.
bool inside_skipped(const PictureWalk& walk, std::string_view path);

}  // namespace tuwen_cli
