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
  region.most_members = members;
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
    if (s == nullptr) {
      ++r.lost;
    } else {
      Op& o = ops_[static_cast<size_t>(r.first_op + op)];
      o.place = place;
      o.cost = cost;
      r.used = op + 1;
    }
  }
  if (s != nullptr) s->begin = Clock::now();
}

void Profile::done(const Member& member, uint32_t op, bool ended) noexcept {
  Stamps* s = stamps(member.index, op);
  if (s == nullptr) return;
  s->done = Clock::now();
  if (ended) ops_[static_cast<size_t>(regions_.back().first_op + op)].over = s->done;
}

void Profile::left(const Member& member, uint32_t op) noexcept {
  if (Stamps* s = stamps(member.index, op)) s->left = Clock::now();
}

int Profile::members(const Region& r, int64_t op) const {
  int count = 0;
  while (count < r.most_members && stamps(r, count, op).present()) ++count;
  return count;
}

ProfiledOp Profile::at(int64_t index) const {
  const Op& op = ops_[static_cast<size_t>(index)];
  const Region& r = regions_[static_cast<size_t>(op.region)];
  const int64_t i = index - r.first_op;
  ProfiledOp p{.place = op.place, .cost = op.cost};
  const int came = members(r, 0);
  for (int m = 0; m < came; ++m) {
    const Stamps& s = stamps(r, m, i);
    if (!s.present()) continue;  // stopped early
    const double waited = milliseconds(s.left - s.done);
    const double imbalance = std::clamp(milliseconds(op.over - s.done), 0.0, waited);
    if (i > 0) p.between += milliseconds(s.begin - stamps(r, m, i - 1).left);
    p.work += milliseconds(s.done - s.begin);
    p.imbalance += imbalance;
    p.barrier += waited - imbalance;
    p.longest = std::max(p.longest, milliseconds(s.done - s.begin));
  }
  for (double* sum : {&p.between, &p.work, &p.imbalance, &p.barrier}) *sum /= came;
  return p;
}

Profile::Whole Profile::whole() const {
  Whole w;
  for (const Region& r : regions_) {
    w.wall += milliseconds(r.end - r.start);
    w.lost += r.lost;
    w.members = r.used > 0 ? members(r, 0) : 0;
    for (int m = 0; m < w.members; ++m) {
      int64_t last = r.used - 1;
      while (!stamps(r, m, last).present()) --last;
      w.start += milliseconds(stamps(r, m, 0).begin - r.start) / w.members;
      w.finish += milliseconds(r.end - stamps(r, m, last).left) / w.members;
    }
  }
  return w;
}

}  // namespace tw
