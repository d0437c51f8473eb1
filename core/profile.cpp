#include "core/profile.h"

#include <algorithm>

namespace tw {
namespace {

double milliseconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace

void Profile::clear() {
  ops_.clear();
  stamps_.clear();
  regions_.clear();
}

void Profile::open(int members, int64_t ops) {
  Region region;
  region.first_op = count();
  region.first_stamp = static_cast<int64_t>(stamps_.size());
  region.capacity = ops;
  const size_t all_ops = ops_.size() + static_cast<size_t>(ops);
  const size_t all_stamps = stamps_.size() + static_cast<size_t>(ops * members);
  ops_.reserve(all_ops);
  stamps_.reserve(all_stamps);
  regions_.push_back(region);  // the last that can fail
  ops_.resize(all_ops);
  stamps_.resize(all_stamps);
  regions_.back().start = Clock::now();
}

void Profile::close() {
  Region& r = regions_.back();
  r.end = Clock::now();
  ops_.resize(static_cast<size_t>(r.first_op + r.used));
  for (int64_t op = r.first_op; op < count(); ++op)
    ops_[static_cast<size_t>(op)].region = static_cast<int64_t>(regions_.size()) - 1;
}

void Profile::begin(const Member& member, uint32_t op, const OpPlace& place, const OpCost& cost) noexcept {
  Stamps* s = stamps(member.index, op);
  if (member.index == 0) {
    Region& r = regions_.back();
    r.members = member.count;
    if (s == nullptr) {
      ++r.lost;
    } else {
      ops_[static_cast<size_t>(r.first_op + op)] = {place, cost};
      r.used = op + 1;
    }
  }
  if (s != nullptr) s->begin = Clock::now();
}

void Profile::done(const Member& member, uint32_t op) noexcept {
  if (Stamps* s = stamps(member.index, op)) s->done = Clock::now();
}

void Profile::left(const Member& member, uint32_t op) noexcept {
  if (Stamps* s = stamps(member.index, op)) s->left = Clock::now();
}

ProfiledOp Profile::at(int64_t index) const {
  const Op& op = ops_[static_cast<size_t>(index)];
  const Region& r = regions_[static_cast<size_t>(op.region)];
  const int64_t i = index - r.first_op;
  ProfiledOp p{.place = op.place, .cost = op.cost};
  Clock::time_point last{};
  for (int m = 0; m < r.members; ++m) last = std::max(last, stamps(r, m, i).done);
  for (int m = 0; m < r.members; ++m) {
    const Stamps& s = stamps(r, m, i);
    if (i > 0) p.between += milliseconds(s.begin - stamps(r, m, i - 1).left);
    p.work += milliseconds(s.done - s.begin);
    p.imbalance += milliseconds(last - s.done);
    p.barrier += milliseconds(s.left - last);
    p.longest = std::max(p.longest, milliseconds(s.done - s.begin));
  }
  for (double* sum : {&p.between, &p.work, &p.imbalance, &p.barrier}) *sum /= r.members;
  return p;
}

Profile::Whole Profile::whole() const {
  Whole w;
  for (const Region& r : regions_) {
    w.wall += milliseconds(r.end - r.start);
    w.members = r.members;
    w.lost += r.lost;
    for (int m = 0; m < r.members && r.used > 0; ++m) {
      w.start += milliseconds(stamps(r, m, 0).begin - r.start) / r.members;
      w.finish += milliseconds(r.end - stamps(r, m, r.used - 1).left) / r.members;
    }
  }
  return w;
}

}  // namespace tw
