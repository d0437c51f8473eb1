#include "cli/html_page.h"

#include <cstdio>

#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; font: 16px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; }
header { display: flex; gap: 1rem; align-items: center; margin-bottom: 1.5rem; }
header img { height: 6rem; max-width: 12rem; object-fit: contain; border-radius: .5rem; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .2rem 0 0; opacity: .7; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid #8884; border-radius: .6rem; overflow: hidden; }
figure img { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain; background: #8881; }
figcaption { padding: .5rem .7rem; font-size: .85rem; display: flex; gap: .6rem; }
figcaption b { font-variant-numeric: tabular-nums; }
figcaption span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; direction: rtl; text-align: left; }
)";

// For text and for attribute values in double quotes. Control characters, which HTML does not allow, become spaces.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : one_line(text)) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string image_tag(const std::string& path) {
  return "<img loading=\"lazy\" src=\"" + file_url(path) + "\" alt=\"" + escaped(path) + "\">";
}

std::string figure(const PagePicture& picture) {
  char score[32];
  std::snprintf(score, sizeof score, "%.4f", static_cast<double>(picture.score));
  const std::string path = escaped(picture.path), shown = escaped(picture.shown);
  return "<figure><a href=\"" + file_url(picture.path) + "\">" + image_tag(picture.path) + "</a><figcaption><b>" +
         score + "</b> <span title=\"" + path + "\"><bdi>" + shown + "</bdi></span></figcaption></figure>\n";
}

}  // namespace

std::string file_url(std::string_view path) {
  static constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string url = "file://";
  for (const char c : path) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      url += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      url += '%';
      url += kHex[byte >> 4];
      url += kHex[byte & 15];
    }
  }
  return url;
}

std::string html_page(const SearchPage& page) {
  const std::string query = escaped(page.text.empty() ? page.image : page.text);
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>图文搜索：" +
      query + "</title>\n<style>" + std::string(kStyle) + "</style>\n</head>\n<body>\n<header>";
  if (!page.image.empty()) html += image_tag(page.image);
  html += "<div><h1>" + query + "</h1><p>在 " + std::to_string(page.searched) + " 张图片中找到最接近的 " +
          std::to_string(page.pictures.size()) + " 张，按余弦相似度排列</p></div></header>\n<main>\n";
  for (const PagePicture& picture : page.pictures) html += figure(picture);
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace tuwen_cli
