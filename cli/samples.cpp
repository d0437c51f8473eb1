#include "cli/samples.h"

#include <algorithm>
#include <cstdint>

namespace tuwen_cli {
namespace {

class Noise {
 public:
  explicit Noise(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  // [0, limit)
  int64_t below(int64_t limit) {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<int64_t>((static_cast<uint64_t>(state_ >> 8) * static_cast<uint64_t>(limit)) >> 24);
  }

 private:
  uint32_t state_;
};

struct Ellipse {
  int64_t x, y, width, height, colour[3];
  bool box;

  bool covers(int64_t px, int64_t py) const {
    const int64_t dx = (px - x) * 1024 / width, dy = (py - y) * 1024 / height;
    if (box) return std::max(std::abs(dx), std::abs(dy)) < 1024;
    return dx * dx + dy * dy < 1024 * 1024;
  }
};

}  // namespace

std::vector<std::string> sample_texts() {
  return {
      "猫",
      "红苹果",
      "一辆停在路边的自行车",
      "两个孩子在海边堆沙堡",
      "夜晚的上海外滩，灯火通明",
      "一张老照片：1935年的火车站",
      "穿蓝色外套的女人牵着一只棕色的小狗走过石桥",
      "新款智能手机 Pro Max 256GB，支持5G网络，拍照更清晰",
      "雪后的山谷里，几间木屋冒着炊烟，远处的松林一片洁白",
      "厨师把切好的番茄、黄瓜和洋葱放进白色的大碗里，再浇上橄榄油",
      "画面左侧是一座红砖老教堂，右侧是玻璃幕墙的高楼，中间的广场上有许多鸽子和正在拍照的游客",
      "傍晚时分，渔民们划着小船回到港口，岸上的人们忙着卸货，孩子们追着海鸥跑，灯塔的光慢慢亮了起来",
  };
}

// Two colours that run into each other, shapes before them, and grain over all.
tuwen::Image sample_picture(size_t index) {
  Noise noise(static_cast<uint32_t>(index) + 1);
  constexpr int64_t kSizes[kSamplePictures][2] = {{320, 240}, {240, 320}, {224, 224}, {400, 160}, {96, 96}, {360, 270}};
  const int64_t width = kSizes[index % kSamplePictures][0], height = kSizes[index % kSamplePictures][1];
  int64_t from[3], to[3];
  for (int c = 0; c < 3; ++c) from[c] = noise.below(256), to[c] = noise.below(256);
  std::vector<Ellipse> shapes(3 + index * 4);
  for (Ellipse& s : shapes) {
    s = {noise.below(width), noise.below(height), 4 + noise.below(width / 3), 4 + noise.below(height / 3), {}, false};
    for (int64_t& c : s.colour) c = noise.below(256);
    s.box = noise.below(2) == 1;
  }
  const int64_t grain = 1 + static_cast<int64_t>(index) * 12;
  std::vector<uint8_t> pixels(static_cast<size_t>(3 * width * height));
  uint8_t* out = pixels.data();
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const auto top = std::find_if(shapes.rbegin(), shapes.rend(), [&](const Ellipse& s) { return s.covers(x, y); });
      for (int c = 0; c < 3; ++c) {
        const int64_t behind = from[c] + (to[c] - from[c]) * (x + y) / (width + height);
        const int64_t value = (top != shapes.rend() ? top->colour[c] : behind) + noise.below(grain) - grain / 2;
        *out++ = static_cast<uint8_t>(std::clamp<int64_t>(value, 0, 255));
      }
    }
  }
  return tuwen::Image::from_pixels({pixels.data(), width, height, 3 * width, 3}, pixels.size());
}

}  // namespace tuwen_cli
