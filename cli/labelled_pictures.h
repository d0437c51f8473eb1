// Pictures whose class is known, to measure classification by.
#pragma once

#include <string>
#include <vector>

namespace tuwen_cli {

struct LabelledPictures {
  std::vector<std::string> paths;
  std::vector<size_t> classes;  // index into the labels
};

// One subfolder a class, sorted as strings: the i-th is class i, as torchvision's ImageFolder has it, whose order of
// files this is too. Throws Failure unless there are as many subfolders as labels, each with pictures in it.
LabelledPictures read_class_folders(const std::string& directory, size_t classes);

// Lines "path TAB label"; the label is one of `labels`, or else its index. Throws Failure with file and line.
LabelledPictures read_labelled_list(const std::string& path, const std::vector<std::string>& labels);

}  // namespace tuwen_cli
