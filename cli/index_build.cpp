#include "cli/index_build.h"

#include <algorithm>
#include <filesystem>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/read_ahead.h"

namespace tuwen_cli {
namespace {

constexpr size_t kBatch = 16;

}  // namespace

IndexBuild::IndexBuild(const std::string& path, const IndexOrigin& origin, const IndexFile* before,
                       IndexJournal& journal, const PictureWalk& walk)
    : path_(path), origin_(origin), before_(before), journal_(journal), walk_(walk) {
  if (before_ != nullptr) {
    check_origin();
    const IndexContent& content = before_->content();
    for (const IndexedPicture& p : content.pictures) seen_[p.path] = {p.size, p.modified, content.hashes[p.vector]};
    for (size_t i = 0; i < content.hashes.size(); ++i) vectors_[content.hashes[i]] = before_->vector(i).data();
    changed_ = content.origin.root != origin_.root || content.origin.model_name != origin_.model_name;
  } else {
    changed_ = true;
  }
  journal_.restore(
      origin_,
      [&](const ContentHash& hash, std::span<const float> vector) {
        keep_vector(hash, vector);
        changed_ = true;
      },
      [&](std::string_view name, const SeenPicture& picture) {
        seen_[std::string(name)] = picture;
        changed_ = true;
      });
}

void IndexBuild::check_origin() const {
  const IndexOrigin& old = before_->content().origin;
  if (old.model != origin_.model || old.dimension != origin_.dimension) {
    throw Failure(path_ + ": model: expected the one that it was made with (" + hex(old.model) + ", " + old.model_name +
                  "), found " + hex(origin_.model) + " (" + origin_.model_name + "); give another --out, or remove it");
  }
  if (old.precision != origin_.precision) {
    throw Failure(path_ + ": precision: expected " + old.precision + ", which it was made with, found " +
                  origin_.precision);
  }
  std::error_code ignored;
  if (old.root != origin_.root && std::filesystem::is_directory(old.root, ignored) &&
      !std::filesystem::equivalent(old.root, origin_.root, ignored)) {
    throw Failure(path_ + ": folder: expected " + old.root + ", which it was made of, found " + origin_.root +
                  "; give another --out, or remove it");
  }
}

void IndexBuild::keep_vector(const ContentHash& hash, std::span<const float> vector) {
  new_vectors_.emplace_back(vector.begin(), vector.end());
  vectors_[hash] = new_vectors_.back().data();
}

// Also what was seen and not encoded any more before the run was ended.
std::vector<std::string> IndexBuild::to_read() const {
  std::vector<std::string> paths;
  for (const FoundPicture& picture : walk_.pictures) {
    const auto known = seen_.find(picture.path);
    const bool same = known != seen_.end() && known->second.size == picture.size &&
                      known->second.modified == picture.modified && picture.modified != -1;
    if (!same || !vectors_.contains(known->second.hash)) paths.push_back(picture.path);
  }
  return paths;
}

void IndexBuild::update(tuwen::Session& session, const tuwen::Model& model, int threads, bool quiet) {
  const std::vector<std::string> paths = to_read();
  report_.unchanged = walk_.pictures.size() - paths.size();
  if (!paths.empty()) changed_ = true;
  PictureReader::Known known;
  for (const auto& [hash, vector] : vectors_) known.insert(hash);
  PictureReader reader(origin_.root, paths, model, std::move(known));
  ReadAhead<ReadPicture>::Source source;
  source.end = paths.size();
  source.make = [&](size_t i) { return reader.read(i); };
  source.size = [](const ReadPicture& picture) { return picture.pixels.size() * sizeof(float); };
  source.stopped = interrupted;
  source.order = Order::as_ready;
  source.threads = threads;
  ReadAhead<ReadPicture> pictures(std::move(source));

  Progress progress(paths.size(), "images", quiet);
  std::vector<ReadPicture> batch;
  while (!pictures.finished() && !report_.interrupted) {
    auto ready = pictures.take(kBatch);
    size_t without_pixels = 0;
    for (auto& [index, picture] : ready) {
      note(picture, paths[index]);
      if (picture.pixels.empty()) {
        ++without_pixels;
      } else {
        batch.push_back(std::move(picture));
      }
    }
    if (batch.size() >= kBatch || (pictures.finished() && !batch.empty())) {
      progress.advance(encode(session, batch));
    }
    journal_.flush();
    progress.advance(without_pixels);
    report_.interrupted = interrupted();
  }
}

void IndexBuild::note(const ReadPicture& picture, const std::string& path) {
  if (!picture.error.empty()) {
    if (picture.seen.hash != ContentHash{}) undecodable_[picture.seen.hash] = picture.error;
    report_.skipped.push_back({path, picture.error});
    seen_.erase(path);
    return;
  }
  if (picture.pixels.empty()) ++report_.recognised;
  seen_[path] = picture.seen;
  journal_.add_picture(path, picture.seen);
}

size_t IndexBuild::encode(tuwen::Session& session, std::vector<ReadPicture>& batch) {
  std::vector<Pixels> pixels;
  for (ReadPicture& picture : batch) pixels.push_back(std::move(picture.pixels));
  const tuwen::Matrix embeddings = encode_pixels(session, pixels, origin_.dimension);
  for (size_t i = 0; i < batch.size(); ++i) {
    keep_vector(batch[i].seen.hash, embeddings.row(i));
    journal_.add_vector(batch[i].seen.hash, embeddings.row(i));
  }
  report_.encoded += pixels.size();
  batch.clear();
  return pixels.size();
}

std::map<std::string, SeenPicture> IndexBuild::remaining() const {
  std::map<std::string, SeenPicture> pictures;
  for (const FoundPicture& found : walk_.pictures) {
    const auto seen = seen_.find(found.path);
    if (seen != seen_.end() && vectors_.contains(seen->second.hash)) pictures.insert(*seen);
  }
  // What a folder holds that cannot be listed now is not known to be gone.
  for (const auto& seen : seen_) {
    if (inside_skipped(walk_, seen.first) && vectors_.contains(seen.second.hash)) pictures.insert(seen);
  }
  return pictures;
}

void IndexBuild::save() {
  const std::map<std::string, SeenPicture> pictures = remaining();
  IndexContent content;
  content.origin = origin_;
  for (const auto& [path, seen] : pictures) content.hashes.push_back(seen.hash);
  std::sort(content.hashes.begin(), content.hashes.end());
  content.hashes.erase(std::unique(content.hashes.begin(), content.hashes.end()), content.hashes.end());
  for (const auto& [path, seen] : pictures) {
    const auto at = std::lower_bound(content.hashes.begin(), content.hashes.end(), seen.hash);
    content.pictures.push_back({path, seen.size, seen.modified, static_cast<uint64_t>(at - content.hashes.begin())});
  }
  report_.pictures = content.pictures.size();
  report_.vectors = content.hashes.size();
  if (before_ != nullptr) {
    for (const IndexedPicture& p : before_->content().pictures) report_.removed += pictures.contains(p.path) ? 0u : 1u;
  }
  // Copies of a file that could not be decoded were not tried again.
  for (const FoundPicture& found : walk_.pictures) {
    const auto seen = seen_.find(found.path);
    if (seen == seen_.end()) continue;
    const auto reason = undecodable_.find(seen->second.hash);
    if (reason == undecodable_.end()) continue;
    report_.skipped.push_back({found.path, reason->second});
    --report_.recognised;
  }
  report_.skipped.insert(report_.skipped.end(), walk_.skipped.begin(), walk_.skipped.end());
  std::sort(report_.skipped.begin(), report_.skipped.end(),
            [](const SkippedPath& a, const SkippedPath& b) { return a.path < b.path; });

  if (changed_ || report_.removed > 0) {
    write_index(path_, content,
                [&](size_t i) { return std::span<const float>(vectors_.at(content.hashes[i]), origin_.dimension); });
  }
  journal_.remove();
}

}  // namespace tuwen_cli
