// Features with ids, written so that a program killed at any moment goes on where it stopped.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tuwen_cli {

// Rows go to OUT.partial, one after the other; finish() gives the file its name. OUT.partial.job says what the rows are
// of, so that only the same job goes on with them: the rest is cut off behind the last whole row, and the finished file
// is byte for byte that of an undisturbed run. One process at a time may write; a second one gets Failure.
//
// OUT ends in .jsonl: lines {"image_id": 1, "feature": [...]} as Python's json.dumps writes them. OUT ends in .npy: the
// rows as a float32 array, and the ids as an int64 array in OUT's name with .ids.npy for .npy.
class FeatureWriter {
 public:
  struct Job {
    std::string out;
    std::string id_name;       // "image_id" or "text_id"
    std::vector<int64_t> ids;  // of all rows, in order
    size_t columns;
    std::string description;  // one line: model, input, settings
    bool restart = false;     // do not go on with what is there
  };
  // Throws UsageError for another ending, Failure if something else was begun under the name.
  explicit FeatureWriter(Job job);
  ~FeatureWriter();
  FeatureWriter(const FeatureWriter&) = delete;
  FeatureWriter& operator=(const FeatureWriter&) = delete;

  // Rows that are there.
  size_t done() const { return done_; }
  // The next row or rows, whole.
  void add(std::span<const float> rows);
  void finish();

 private:
  size_t whole_json_rows(int64_t& bytes) const;
  size_t whole_npy_rows(int64_t& bytes) const;
  void write(const std::string& bytes);
  [[noreturn]] void fail(const char* what) const;

  Job job_;
  std::string partial_, job_file_;
  bool npy_;
  int descriptor_ = -1;
  size_t done_ = 0;
};

// The name of the file of ids beside a .npy file.
std::string ids_path(const std::string& npy);
// Throws UsageError unless the path ends in .jsonl or .npy, naming the option.
void check_feature_path(const std::string& option, const std::string& path);

}  // namespace tuwen_cli
