// Where the time of parallel regions goes: for every collective operation what it is, and when each member of the team
// began it, was done with its own part, and went on.
//
// All of a member's time lies between two of its stamps, so means over members add up to the whole without a rest.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "core/parallel.h"

namespace tw {

// What an operation does, whoever does it.
struct OpCost {
  DType type = DType::f32;               // of the arithmetic
  int64_t rows = 0, columns = 0, k = 0;  // of the result; k: terms of each sum, 0 where there are none
  double flops = 0;                      // a multiply and an add count as two
  double weight_bytes = 0;               // parameters read
  double activation_bytes = 0;           // read and written, each tensor once
};

struct OpPlace {
  const char* tower = "";
  int64_t layer = -1;  // outside the layers: -1
  const char* op = "";
};

// One operation, in milliseconds; all but `longest` are means over the members.
struct ProfiledOp {
  OpPlace place;
  OpCost cost;
  double between = 0;    // since the last operation, or since the region's first instruction
  double work = 0;       // own parts
  double imbalance = 0;  // from the end of a member's own part until all are done
  double barrier = 0;    // from there until the member goes on
  double longest = 0;    // the largest own part

  double total() const { return between + work + imbalance + barrier; }
};

// Regions one after the other. Memory is taken when a region is opened, before its threads start.
class Profile {
 public:
  // Forgets what there is and keeps the memory.
  void clear();
  // A region of at most `members` members and `ops` operations begins or has ended. Throws std::bad_alloc. Members that
  // come late, or not at all, or stop early, are taken as they are.
  void open(int members, int64_t ops);
  void close();

  // On each member, in this order, for operation number `op` of the region.
  void begin(const Member& member, uint32_t op, const OpPlace& place, const OpCost& cost) noexcept;
  // `ended`: with this member's part the operation was over.
  void done(const Member& member, uint32_t op, bool ended) noexcept;
  void left(const Member& member, uint32_t op) noexcept;

  int64_t count() const { return static_cast<int64_t>(ops_.size()); }
  ProfiledOp at(int64_t index) const;

  // Of all regions together, in milliseconds: wall = start + the total() of each operation + finish.
  struct Whole {
    double wall = 0;
    double start = 0;   // until the members run: waking threads
    double finish = 0;  // from the members' last operation until all are back
    int members = 0;    // of the last region
    int64_t lost = 0;   // operations for which there was no room
  };
  Whole whole() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Op {
    OpPlace place;
    OpCost cost;
    int64_t region = 0;
    Clock::time_point over;
  };
  struct Stamps {
    Clock::time_point begin, done, left;

    bool present() const { return begin != Clock::time_point(); }
  };
  struct Region {
    Clock::time_point start, end;
    int64_t first_op = 0, capacity = 0, used = 0, lost = 0, first_stamp = 0;
    int most_members = 0;
  };
  Stamps* stamps(int member, uint32_t op) {
    const Region& r = regions_.back();
    return op < r.capacity ? &stamps_[static_cast<size_t>(r.first_stamp + member * r.capacity + op)] : nullptr;
  }
  const Stamps& stamps(const Region& r, int member, int64_t op) const {
    return stamps_[static_cast<size_t>(r.first_stamp + member * r.capacity + op)];
  }
  // That came to operation `op` of the region; the first ones always do.
  int members(const Region& r, int64_t op) const;

  std::vector<Op> ops_;
  std::vector<Stamps> stamps_;  // region after region, member after member
  std::vector<Region> regions_;
};

}  // namespace tw
