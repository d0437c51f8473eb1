#include "cli/feature_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "cli/embedding_file.h"
#include "cli/feature_writer.h"
#include "cli/json_lines.h"
#include "cli/npy_input.h"

namespace tuwen_cli {
namespace {

void append(Features& part, int64_t id, std::span<const float> row) {
  part.ids.push_back(id);
  part.rows.data.insert(part.rows.data.end(), row.begin(), row.end());
  part.rows.columns = row.size();
  ++part.rows.rows;
}

void read_json(const std::string& path, const char* id_name, size_t part,
               const std::function<void(const Features&)>& use) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Failure(path + ": cannot be opened: " + std::strerror(errno));
  Features rows;
  size_t number = 0, columns = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string place = path + ":" + std::to_string(++number);
    const FeatureLine row = parse_feature(line, place, id_name);
    if (number == 1) columns = row.feature.size();
    if (row.feature.empty() || row.feature.size() != columns) {
      throw Failure(place + ": feature: expected " + (columns == 0 ? "numbers" : std::to_string(columns) + " numbers") +
                    ", found " + std::to_string(row.feature.size()));
    }
    append(rows, row.id, row.feature);
    if (rows.ids.size() < part) continue;
    use(rows);
    rows = {};
  }
  if (in.bad()) throw Failure(path + ": cannot be read: " + std::strerror(errno));
  if (!rows.ids.empty()) use(rows);
}

void read_npy(const std::string& path, size_t part, const std::function<void(const Features&)>& use) {
  NpyInput features(path, "<f4", 2), ids(ids_path(path), "<i8", 1);
  const auto total = static_cast<size_t>(features.shape()[0]);
  if (ids.shape()[0] != features.shape()[0]) {
    throw Failure(ids_path(path) + ": shape: expected " + std::to_string(total) + " ids, as " + path +
                  " has rows, found " + std::to_string(ids.shape()[0]));
  }
  for (size_t begin = 0; begin < total; begin += part) {
    const size_t count = std::min(part, total - begin);
    Features rows{std::vector<int64_t>(count), tuwen::Matrix(count, static_cast<size_t>(features.shape()[1]))};
    features.read(rows.rows.data.data(), rows.rows.data.size() * sizeof(float));
    ids.read(rows.ids.data(), count * sizeof(int64_t));
    use(rows);
  }
}

}  // namespace

void for_each_part(const std::string& path, const char* id_name, size_t part,
                   const std::function<void(const Features&)>& use) {
  check_feature_path(id_name == std::string_view("image_id") ? "--image-feats" : "--text-feats", path);
  if (path.ends_with(".npy")) return read_npy(path, part, use);
  read_json(path, id_name, part, use);
}

Features read_features(const std::string& path, const char* id_name) {
  Features all;
  for_each_part(path, id_name, 4096, [&](const Features& part) {
    all.ids.insert(all.ids.end(), part.ids.begin(), part.ids.end());
    all.rows.data.insert(all.rows.data.end(), part.rows.data.begin(), part.rows.data.end());
    all.rows.columns = part.rows.columns;
    all.rows.rows += part.rows.rows;
  });
  return all;
}

size_t count_features(const std::string& path) {
  if (path.ends_with(".npy")) return static_cast<size_t>(NpyInput(path, "<f4", 2).shape()[0]);
  std::ifstream in(path, std::ios::binary);
  size_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

}  // namespace tuwen_cli
