// What features are extracted from: pictures or texts with ids, read one by one and in any order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tuwen_cli {

// Made once over a whole file, which checks it and knows its ids; then any item is read when it is needed. All
// may be called on several threads at once.
class Records {
 public:
  virtual ~Records() = default;
  virtual size_t size() const = 0;
  virtual int64_t id(size_t i) const = 0;
  // What errors call the i-th: "imgs.tsv:3: image 17".
  virtual std::string place(size_t i) const = 0;
  // The bytes of the picture's file, or the text. Throws Failure.
  virtual std::string read(size_t i) const = 0;
  // Changes when the file does: its size and the time it was last written.
  virtual std::string version() const = 0;
};

// Lines "id TAB base64 of a picture's file" (NAME_imgs.tsv), in the file's order; with `key_order` in that of the ids'
// decimal text, which is the order of an LMDB. Throws Failure naming file and line for what is no such line, and for an
// id that comes twice.
std::unique_ptr<Records> open_picture_lines(const std::string& path, bool key_order);
// Lines {"text_id": 1, "text": "..."} (NAME_texts.jsonl). Throws likewise.
std::unique_ptr<Records> open_text_lines(const std::string& path);
// The database lmdb/NAME/imgs that the original's build_lmdb_dataset.py writes: decimal ids to base64, and num_images.
// Throws Failure in builds without liblmdb.
std::unique_ptr<Records> open_picture_database(const std::string& directory);

// Size and last change of a file, for version().
std::string version_of(const std::string& path);
// The bytes that base64 text stands for; throws Failure naming `place`.
std::string picture_of(std::string_view base64, const std::string& place);

}  // namespace tuwen_cli
