// The result of a search as a page to look at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tuwen_cli {

struct PagePicture {
  std::string path;   // absolute
  std::string shown;  // what is written below it
  float score;
};

struct SearchPage {
  std::string text;   // of the query; empty: none
  std::string image;  // likewise, an absolute path
  size_t searched;    // pictures
  std::vector<PagePicture> pictures;
};

// One HTML file without scripts that needs nothing but the pictures where they lie.
std::string html_page(const SearchPage& page);

// "file:///..." of an absolute path, whatever bytes it is made of: all but RFC 3986's unreserved characters and "/" are
// percent-encoded.
std::string file_url(std::string_view path);

}  // namespace tuwen_cli
