// Bringing an index up to date with a folder.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "cli/content_hash.h"
#include "cli/index_file.h"
#include "cli/index_journal.h"
#include "cli/picture_reader.h"
#include "cli/picture_walk.h"

namespace tuwen_cli {

struct IndexReport {
  size_t pictures = 0;               // in the index now
  size_t vectors = 0;                // of them, copies counted once
  size_t encoded = 0;                // vectors computed by this run
  size_t unchanged = 0;              // pictures that were not read: size and time as before
  size_t recognised = 0;             // pictures that were read and whose content was known: moved, copied, touched
  size_t removed = 0;                // paths of the index before that are gone
  bool interrupted = false;          // by the user; the index holds what was done
  std::vector<SkippedPath> skipped;  // what could not be read, in the order of the paths
};

// One run. The steps in their order: what is known, update(), and save().
class IndexBuild {
 public:
  // Takes in the index before, if there is one, and what an unfinished run has left. Throws Failure where these are of
  // another model, or of another folder that is still there. All arguments have to live as long as this.
  IndexBuild(const std::string& path, const IndexOrigin& origin, const IndexFile* before, IndexJournal& journal,
             const PictureWalk& walk);

  // Reads what has changed and encodes what is new; until it is done or the user interrupts.
  void update(tuwen::Session& session, const tuwen::Model& model, int threads, bool quiet);
  // Puts the index in place; nothing is written where nothing has changed.
  void save();

  const IndexReport& report() const { return report_; }

 private:
  void check_origin() const;
  // The paths of the walk that are not as they were seen.
  std::vector<std::string> to_read() const;
  void keep_vector(const ContentHash& hash, std::span<const float> vector);
  // Empties the batch; returns how many there were.
  size_t encode(tuwen::Session& session, std::vector<ReadPicture>& batch);
  void note(const ReadPicture& picture, const std::string& path);
  // The pictures that the index will hold, by their paths.
  std::map<std::string, SeenPicture> remaining() const;

  const std::string& path_;
  const IndexOrigin& origin_;
  const IndexFile* before_;
  IndexJournal& journal_;
  const PictureWalk& walk_;
  std::unordered_map<std::string, SeenPicture> seen_;  // by path; of this run, the unfinished one and the index before
  std::unordered_map<ContentHash, const float*, ContentHashKey> vectors_;
  std::unordered_map<ContentHash, std::string, ContentHashKey> undecodable_;  // and why
  std::deque<std::vector<float>> new_vectors_;                                // those that are not in the index before
  bool changed_ = false;
  IndexReport report_;
};

}  // namespace tuwen_cli
