#include "models/capture.h"

#include <new>

namespace tw {

void Capture::take(Exec& ex, const std::string& name, Tensor value) {
  if (ex.member.index == 0 && name.compare(0, prefix_.size(), prefix_) == 0) {
    try {
      Captured& captured = results_[name];
      captured.columns = value.columns;
      captured.rows += value.rows;
      for (int64_t r = 0; r < value.rows; ++r) {
        if (value.dtype == DType::bf16) {
          for (int64_t c = 0; c < value.columns; ++c) captured.values.push_back(bf16_to_f32(value.bf16_row(r)[c]));
        } else {
          captured.values.insert(captured.values.end(), value.f32_row(r), value.f32_row(r) + value.columns);
        }
      }
    } catch (const std::bad_alloc&) {
      failed_ = true;
    }
  }
  ex.member.wait();
}

void Tap::take(Exec& ex, const char* name, Tensor value) const {
  std::string full(tower);
  if (layer >= 0) full += ".layers." + std::to_string(layer);
  capture->take(ex, full + "." + name, value);
}

}  // namespace tw
