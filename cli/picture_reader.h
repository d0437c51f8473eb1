// Reading, recognising, decoding and resizing the pictures of a folder.
#pragma once

#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "cli/command.h"
#include "cli/content_hash.h"
#include "cli/index_journal.h"
#include "cli/pictures_ahead.h"

namespace tuwen_cli {

// What a file turned out to be.
struct ReadPicture {
  SeenPicture seen;   // unless it could not be opened
  Pixels pixels;      // empty if the content is known, or was claimed by a copy
  std::string error;  // why it cannot be read or decoded; else empty
};

// Any number of threads may read at once. Content is decoded once: by the first that meets it, and not if it is known.
class PictureReader {
 public:
  using Known = std::unordered_set<ContentHash, ContentHashKey>;

  // Model and paths have to live as long as this.
  PictureReader(std::string root, const std::vector<std::string>& paths, const tuwen::Model& model, Known known);

  // `root`/`paths`[index]. Throws only what is no matter of one picture.
  ReadPicture read(size_t index);

 private:
  bool claim(const ContentHash& hash);

  const std::string root_;
  const std::vector<std::string>& paths_;
  const tuwen::Model& model_;
  std::mutex mutex_;
  Known known_;
};

}  // namespace tuwen_cli
