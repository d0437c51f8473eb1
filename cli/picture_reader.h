// Reading, recognising, decoding and resizing pictures on threads of their own, ahead of whoever encodes them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "cli/command.h"
#include "cli/content_hash.h"
#include "cli/index_journal.h"

namespace tuwen_cli {

// What a file turned out to be.
struct ReadPicture {
  size_t index = 0;           // among the paths
  SeenPicture seen;           // unless it could not be opened
  std::vector<float> pixels;  // what the encoder takes; empty if the content is known, or a copy in the list came first
  std::string error;          // why it cannot be read or decoded; else empty
};

// Starts with the construction. The order of results is that in which they are ready. While nobody takes them, memory
// holds a few dozen pixel arrays of the model's size and one decoded picture a thread.
class PictureReader {
 public:
  using Known = std::unordered_set<ContentHash, ContentHashKey>;

  // `root`/`paths`[i]. Content in `known` is not decoded. The processor, its model's image size in pixels and the paths
  // have to live as long as this.
  PictureReader(std::string root, std::span<const std::string> paths, tuwen::ProcessorView processor, int64_t side,
                Known known, int threads);
  // Stops after the pictures that are being read.
  ~PictureReader();
  PictureReader(const PictureReader&) = delete;
  PictureReader& operator=(const PictureReader&) = delete;

  // What is ready, waiting a little where nothing is. Throws what a thread met that is no matter of one picture.
  std::vector<ReadPicture> take();
  // Whether every picture has been taken.
  bool finished() const { return taken_ == paths_.size(); }

 private:
  void work();
  void read_all();
  ReadPicture read(size_t index);
  bool claim(const ContentHash& hash);

  const std::string root_;
  const std::span<const std::string> paths_;
  const tuwen::ProcessorView processor_;
  const int64_t side_;
  size_t taken_ = 0;

  std::mutex mutex_;  // of everything below
  std::condition_variable has_results_, has_room_;
  std::deque<ReadPicture> ready_;
  size_t ready_pixels_ = 0, next_ = 0;
  Known known_;
  std::exception_ptr failure_;
  bool stop_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace tuwen_cli
