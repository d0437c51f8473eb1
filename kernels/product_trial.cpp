#include "kernels/product_trial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"

namespace tw {
namespace {

constexpr int kCandidates = 8, kTimes = 5;

// What roundings explain, as a share of a number and of its row's root mean square. Results in bf16 and f16: the
// library's bias is rounded, and so is what goes into an activation; f32: sums in another order, on tensor cores that
// keep fewer bits than f32 has.
struct Permitted {
  float each, row;
};
Permitted permitted(DType y_type) {
  const float unit = y_type == DType::bf16 ? 0x1p-9f : y_type == DType::f16 ? 0x1p-12f : 0x1p-14f;
  return {4 * unit, 8 * unit};
}

class Trial {
 public:
  Trial(const ProductPlace& place, const LinearNarrowArgs& p, const PlainWeights& w)
      : place_(place),
        p_(p),
        product_(place.library, p, w),
        bytes_(((p.rows - 1) * p.y_stride + p.columns) * size_of(p.y_type)),
        expected_(Buffer::on_device(place.device, bytes_, "trial of a product")),
        found_(Buffer::on_device(place.device, bytes_, "trial of a product")),
        worst_(Buffer::on_device(place.device, p.rows * size_of(DType::f32), "trial of a product")) {
    marks_.reserve(kTimes + 1);
    for (int i = 0; i <= kTimes; ++i) marks_.emplace_back(place.device);
  }
  ~Trial() { place_.device.wait(place_.stream); }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  TrialResult run() {
    std::array<blaslt::Candidate, kCandidates> candidates = {};
    const int count = product_.candidates(candidates);
    if (count == 0) return {};
    begin(expected_.data());
    own(expected_.data(), p_.add_to_output);
    TrialResult best;
    float least = milliseconds([&] { return own(found_.data(), p_.add_to_output), true; });
    for (const blaslt::Candidate& c : std::span(candidates).first(static_cast<size_t>(count))) {
      const auto library = [&] {
        return product_.run(c.algorithm, found_.data(), place_.workspace, place_.own, place_.stream);
      };
      begin(found_.data());
      if (!library()) continue;
      const float share = worst_share();
      if (std::isnan(share)) return {.decided = false};
      if (share > 1) continue;
      const float taken = milliseconds(library);
      if (taken < least) least = taken, best.algorithm = c.algorithm;
    }
    return best;
  }

 private:
  // What is added to: the product itself, so that whoever forgets either is found out; else zeros.
  void begin(void* y) {
    if (p_.add_to_output) return own(y, false);
    place_.own.clear(place_.stream, {y, p_.y_stride * size_of(p_.y_type), p_.rows, p_.columns * size_of(p_.y_type)});
  }
  void own(void* y, bool add) {
    LinearNarrowArgs p = p_;
    p.y = y;
    p.add_to_output = add;
    place_.own.linear_narrow(place_.stream, p);
  }

  // How far what was found is from what was expected, as a share of what is permitted; NaN: that is not finite.
  float worst_share() {
    const Permitted permit = permitted(p_.y_type);
    place_.own.compare_rows(place_.stream, {.type = p_.y_type,
                                            .x = expected_.data(),
                                            .y = found_.data(),
                                            .stride = p_.y_stride,
                                            .rows = p_.rows,
                                            .columns = p_.columns,
                                            .each = permit.each,
                                            .row = permit.row,
                                            .worst = worst_.as<float>()});
    std::vector<float> worst(static_cast<size_t>(p_.rows));
    check(place_.device.copy(worst.data(), worst_.data(), worst_.size(), place_.stream), "copy");
    check(place_.device.wait(place_.stream), "computation");
    float most = 0;
    for (const float w : worst) {
      if (std::isnan(w)) return w;
      most = std::max(most, w);
    }
    return most;
  }

  // The median of some repetitions behind one that is not counted; infinite if run() returns false.
  template <class Run>
  float milliseconds(Run run) {
    if (!run()) return HUGE_VALF;
    marks_.front().set(place_.stream);
    for (int i = 1; i <= kTimes; ++i) {
      if (!run()) return HUGE_VALF;
      marks_[static_cast<size_t>(i)].set(place_.stream);
    }
    check(place_.device.wait(place_.stream), "computation");
    std::array<float, kTimes> times;
    for (size_t i = 0; i < kTimes; ++i) times[i] = marks_[i].milliseconds_to(marks_[i + 1]);
    std::sort(times.begin(), times.end());
    return times[kTimes / 2];
  }

  void check(int result, const char* what) { check_device(place_.device, result, what); }

  const ProductPlace& place_;
  const LinearNarrowArgs& p_;
  const BlasLtProduct product_;
  const int64_t bytes_;
  Buffer expected_, found_, worst_;
  std::vector<DeviceMark> marks_;
};

}  // namespace

TrialResult try_product(const ProductPlace& place, const LinearNarrowArgs& p, const PlainWeights& w) {
  check_device(place.device, place.device.wait(place.stream), "computation");
  try {
    return Trial(place, p, w).run();
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace tw
