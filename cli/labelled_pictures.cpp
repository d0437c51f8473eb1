#include "cli/labelled_pictures.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unordered_map>

#include "cli/command.h"
#include "cli/lines.h"
#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& path) {  // torchvision.datasets.folder.IMG_EXTENSIONS
  static constexpr std::string_view kEndings[] = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                  ".pgm", ".tif",  ".tiff", ".webp"};
  std::string ending = path.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(std::begin(kEndings), std::end(kEndings), ending) != std::end(kEndings);
}

}  // namespace

LabelledPictures read_class_folders(const std::string& directory, size_t classes) {
  std::vector<std::string> folders;
  try {
    for (const auto& entry : fs::directory_iterator(directory)) {
      if (entry.is_directory()) folders.push_back(entry.path().string());
    }
    std::sort(folders.begin(), folders.end());
    if (folders.size() != classes) {
      throw Failure(directory + ": folders: expected " + std::to_string(classes) + ", one a label, found " +
                    std::to_string(folders.size()));
    }
    LabelledPictures pictures;
    for (size_t c = 0; c < folders.size(); ++c) {
      std::vector<std::pair<std::string, std::string>> files;  // folder, name
      constexpr auto kFollow = fs::directory_options::follow_directory_symlink;
      for (const auto& entry : fs::recursive_directory_iterator(folders[c], kFollow)) {
        if (!entry.is_regular_file() || !is_picture(entry.path())) continue;
        files.emplace_back(entry.path().parent_path().string(), entry.path().filename().string());
      }
      if (files.empty()) throw Failure(folders[c] + ": expected pictures, found none");
      std::sort(files.begin(), files.end());
      for (const auto& [folder, name] : files) {
        pictures.paths.push_back(folder + "/" + name);
        pictures.classes.push_back(c);
      }
    }
    return pictures;
  } catch (const fs::filesystem_error& error) {
    throw Failure(directory + ": cannot be listed: " + error.code().message());
  }
}

LabelledPictures read_labelled_list(const std::string& path, const std::vector<std::string>& labels) {
  std::unordered_map<std::string, size_t> classes;
  for (size_t c = 0; c < labels.size(); ++c) classes.try_emplace(labels[c], c);
  LabelledPictures pictures;
  size_t number = 0;
  for (const std::string& line : read_lines(path, false)) {
    const std::string place = path + ":" + std::to_string(++number);
    const size_t tab = line.rfind('\t');
    if (tab == std::string::npos || tab == 0) {
      throw Failure(place + ": line: expected 'path TAB label', found '" + one_line(line.substr(0, 60)) + "'");
    }
    const std::string label = line.substr(tab + 1);
    const auto found = classes.find(label);
    size_t index = labels.size();
    if (found != classes.end()) {
      index = found->second;
    } else {
      const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), index);
      if (error != std::errc() || end != label.data() + label.size()) index = labels.size();
    }
    if (index >= labels.size()) {
      throw Failure(place + ": label: expected one of the labels, or 0 to " + std::to_string(labels.size() - 1) +
                    ", found '" + one_line(label) + "'");
    }
    pictures.paths.push_back(line.substr(0, tab));
    pictures.classes.push_back(index);
  }
  if (pictures.paths.empty()) throw Failure(path + ": no pictures in it");
  return pictures;
}

}  // namespace tuwen_cli
