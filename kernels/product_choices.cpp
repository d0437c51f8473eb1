#include "kernels/product_choices.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <mutex>

#include "core/checked_math.h"

namespace tw {
namespace {

int64_t rows_of_kind(int64_t rows) {
  constexpr int64_t kLeastStep = 16, kSteps = 8;
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(rows)));
  return round_up(rows, std::max(kLeastStep, power / kSteps));
}

}  // namespace

ProductChoices::ProductChoices(const Device& device) : device_(device) {
  const BlasLtLibrary& library = device.blaslt();
  text_ = library.text;
  if (!library.api) return;
  library_.api = *library.api;
  if (const int status = library_.api.create(&library_.handle); status != 0) {
    library_.handle = nullptr;
    text_ += std::string(": ") + library_.api.describe(status);
  }
}

// A forked child has no use of its parent's.
ProductChoices::~ProductChoices() {
  if (open() && device_.handle.process == static_cast<int>(getpid())) library_.api.destroy(library_.handle);
}

ProductChoices::Kind ProductChoices::kind_of(const LinearNarrowArgs& p, const PlainWeights& w) {
  const void* bias = library_bias(p, w);
  return {.type = p.type,
          .y_type = p.y_type,
          .activation = p.activation,
          .add_to_output = p.add_to_output,
          .bias = bias != nullptr,
          .rows = rows_of_kind(p.rows),
          .columns = p.columns,
          .k = p.k,
          .x_stride = p.x_stride,
          .y_stride = p.y_stride,
          .x_alignment = alignment_of(p.x),
          .y_alignment = alignment_of(p.y),
          .weights_alignment = alignment_of(w.rows),
          .bias_alignment = alignment_of(bias)};
}

std::optional<ProductChoices::Choice> ProductChoices::find(const Kind& kind) const {
  const auto found = choices_.find(kind);
  return found == choices_.end() ? std::nullopt : std::optional(found->second);
}

bool ProductChoices::multiply(const ProductLane& lane, DeviceStream stream, const LinearNarrowArgs& p,
                              const PlainWeights& w) {
  if (!open() || !BlasLtProduct::takes(p, w)) return false;
  const Kind kind = kind_of(p, w);
  std::optional<Choice> choice;
  {
    const std::shared_lock lock(mutex_);
    choice = find(kind);
  }
  if (!choice) {
    if (!lane.may_try) return false;
    const std::unique_lock lock(mutex_);
    choice = find(kind);  // another thread may have been first
    if (!choice) {
      const TrialResult result =
          try_product({*device_.handle.api, *device_.table, library_, stream, lane.workspace}, p, w);
      if (!result.decided) return false;
      choice = {result.algorithm, p.rows};
      choices_.emplace(kind, *choice);
    }
  }
  if (!choice->algorithm) return false;
  const BlasLtProduct product(library_, p, w);
  if (p.rows != choice->rows && !product.can(*choice->algorithm)) return false;
  return product.run(*choice->algorithm, p.y, lane.workspace, *device_.table, stream);
}

}  // namespace tw
