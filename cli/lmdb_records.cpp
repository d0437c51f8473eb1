// LMDB of pictures. A database is trusted as a program's own memory is: liblmdb does not check its pages.
#include <algorithm>
#include <charconv>
#include <mutex>

#include "cli/command.h"
#include "cli/records.h"
#include "cli/utf8_text.h"

#ifdef TUWEN_WITH_LMDB
#include <lmdb.h>
#endif

namespace tuwen_cli {

#ifdef TUWEN_WITH_LMDB
namespace {

constexpr std::string_view kCount = "num_images";

std::string_view text_of(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

class PictureDatabase : public Records {
 public:
  explicit PictureDatabase(const std::string& directory) : path_(directory) {
    version_ = version_of(directory + "/data.mdb");
    try {
      check(mdb_env_create(&environment_));
      // Nobody writes while this reads, as with the original's lock=False; one transaction for all threads.
      check(mdb_env_open(environment_, directory.c_str(), MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0));
      check(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction_));
      check(mdb_dbi_open(transaction_, nullptr, 0, &database_));
      index();
    } catch (...) {
      release();
      throw;
    }
  }
  ~PictureDatabase() override { release(); }
  PictureDatabase(const PictureDatabase&) = delete;
  PictureDatabase& operator=(const PictureDatabase&) = delete;

  size_t size() const override { return ids_.size(); }
  int64_t id(size_t i) const override { return ids_[i]; }
  std::string place(size_t i) const override { return path_ + ": image " + std::to_string(ids_[i]); }
  std::string read(size_t i) const override {
    const std::string key = std::to_string(ids_[i]);
    MDB_val k = {key.size(), const_cast<char*>(key.data())}, value = {};
    {
      const std::lock_guard lock(mutex_);
      check(mdb_get(transaction_, database_, &k, &value));
    }
    return picture_of(text_of(value), place(i));  // in the map, which stays while the transaction is open
  }
  std::string version() const override { return version_; }

 private:
  void check(int status) const {
    if (status != MDB_SUCCESS) throw Failure(path_ + ": LMDB: " + mdb_strerror(status));
  }
  int64_t number(std::string_view text, const char* what) const {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || std::to_string(value) != text) {
      throw Failure(path_ + ": " + what + ": expected a decimal integer, found '" + one_line(text.substr(0, 40)) + "'");
    }
    return value;
  }

  void index() {
    MDB_cursor* cursor = nullptr;
    check(mdb_cursor_open(transaction_, database_, &cursor));
    MDB_val key = {}, value = {};
    int64_t stated = -1;
    int status = MDB_SUCCESS;
    try {
      while ((status = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        if (text_of(key) == kCount) {
          stated = number(text_of(value), "num_images");
        } else {
          ids_.push_back(number(text_of(key), "key"));
        }
      }
    } catch (...) {
      mdb_cursor_close(cursor);
      throw;
    }
    mdb_cursor_close(cursor);
    if (status != MDB_NOTFOUND) check(status);
    if (stated != static_cast<int64_t>(ids_.size())) {
      throw Failure(path_ + ": num_images: expected " + std::to_string(ids_.size()) +
                    ", the number of pictures, found " + (stated < 0 ? "no such key" : std::to_string(stated)));
    }
  }

  void release() {
    if (transaction_ != nullptr) mdb_txn_abort(transaction_);
    if (environment_ != nullptr) mdb_env_close(environment_);
  }

  std::string path_, version_;
  mutable std::mutex mutex_;  // a transaction is for one thread at a time
  MDB_env* environment_ = nullptr;
  MDB_txn* transaction_ = nullptr;
  MDB_dbi database_ = 0;
  std::vector<int64_t> ids_;
};

}  // namespace

std::unique_ptr<Records> open_picture_database(const std::string& directory) {
  return std::make_unique<PictureDatabase>(directory);
}
#else
std::unique_ptr<Records> open_picture_database(const std::string& directory) {
  throw Failure(directory +
                ": this build of tuwen reads no LMDB; build it where liblmdb is (Debian: liblmdb-dev), or "
                "give the .tsv file");
}
#endif

}  // namespace tuwen_cli
