// What an unfinished run of `tuwen index` has done so far: the file INDEX.journal.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cli/content_hash.h"
#include "cli/index_file.h"

namespace tuwen_cli {

// What was found at a path.
struct SeenPicture {
  uint64_t size = 0;      // bytes
  int64_t modified = -1;  // as IndexedPicture has it
  ContentHash hash = {};
};

// Grows by whole records, each with its own hash: whatever ends the process, at most the last ones are lost, and what
// is left of a torn one is dropped by the next run. Holding it locks the index against other runs.
class IndexJournal {
 public:
  // Locks `index_path` for this process, and removes what runs that were killed while writing it have left beside it.
  // Throws Failure if another process has it.
  explicit IndexJournal(const std::string& index_path);
  ~IndexJournal();
  IndexJournal(const IndexJournal&) = delete;
  IndexJournal& operator=(const IndexJournal&) = delete;

  // Calls back for every record of a run before that was not finished, in its order, and gets ready for more. Throws
  // Failure if that run had another origin (its root may differ).
  using OnVector = std::function<void(const ContentHash&, std::span<const float>)>;
  using OnPicture = std::function<void(std::string_view path, const SeenPicture&)>;
  void restore(const IndexOrigin& origin, const OnVector& on_vector, const OnPicture& on_picture);

  void add_vector(const ContentHash& hash, std::span<const float> vector);
  void add_picture(std::string_view path, const SeenPicture& picture);
  // Hands what was added to the operating system.
  void flush();
  // The index has all of it. Gives the lock up: the last call.
  void remove();

 private:
  void add_record(std::string_view payload);
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::string buffer_;
  int descriptor_ = -1;
};

// Whether an unfinished run has left a journal of this index.
bool has_journal(const std::string& index_path);

}  // namespace tuwen_cli
