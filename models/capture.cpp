#include "models/capture.h"

#include <new>
#include <utility>

namespace tw {

void Capture::keep(std::string name, Tensor value) {
  if (name.compare(0, prefix_.size(), prefix_) != 0) return;
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
  if (ex.member.index == 0 && !capture->failed_) {
    try {
      std::string full(tower);
      if (layer >= 0) full += ".layers." + std::to_string(layer);
      capture->keep(full + "." + name, value);
    } catch (const std::bad_alloc&) {
      capture->failed_ = true;
      capture->results_.clear();  // among them one that is half copied
    }
  }
  ex.member.wait();
}

}  // namespace tw
