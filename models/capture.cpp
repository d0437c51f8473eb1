#include "models/capture.h"

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

namespace tw {
namespace {

// Whether `name` begins with `pattern`, in which a star stands for any characters.
bool begins_with(std::string_view name, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return name.starts_with(pattern);
  if (!name.starts_with(pattern.substr(0, star))) return false;
  for (size_t at = star; at <= name.size(); ++at)
    if (begins_with(name.substr(at), pattern.substr(star + 1))) return true;
  return false;
}

}  // namespace

bool Capture::wants(std::string_view name) const {
  if (prefixes_.empty()) return true;
  for (std::string_view rest = prefixes_; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0 && begins_with(name, rest.substr(0, end))) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

void Capture::keep(std::string name, Tensor value) {
  if (!wants(name)) return;
  Captured& captured = results_[std::move(name)];
  captured.columns = value.columns;
  captured.rows += value.rows;
  for (int64_t r = 0; r < value.rows; ++r) {
    if (value.dtype == DType::bf16) {
      for (int64_t c = 0; c < value.columns; ++c) captured.values.push_back(bf16_to_f32(value.bf16_row(r)[c]));
    } else {
      captured.values.insert(captured.values.end(), value.f32_row(r), value.f32_row(r) + value.columns);
    }
  }
}

void Tap::take(Exec& ex, const char* name, Tensor value) const noexcept {
  ex.begin("capture", [] { return OpCost{}; });
  ex.for_each_unit(1, [&](int64_t) {
    if (capture->failed_) return;
    try {
      std::string full(tower);
      if (layer >= 0) full += ".layers." + std::to_string(layer);
      capture->keep(full + "." + name, value);
    } catch (const std::bad_alloc&) {
      capture->failed_ = true;
      capture->results_.clear();  // among them one that is half copied
    }
  });
}

}  // namespace tw
