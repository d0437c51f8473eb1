// Where the time of parallel regions goes: for every collective operation what it is, and when each member of the team
// began it, was done with its own part, and left the barrier behind it.
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
  double imbalance = 0;  // from the end of a member's own part to the end of the last one's
  double barrier = 0;    // from there until the member goes on
  double longest = 0;    // the largest own part

  double total() const { return between + work + imbalance + barrier; }
};

// Regions one after the other. Memory is taken when a region is opened, before its threads start.
class Profile {
 public:
  // Forgets what there is and keeps the memory.
  void clear();
  // A region of at most `members` members and `ops` operations begins or has ended. Throws std::bad_alloc.
  void open(int members, int64_t ops);
  void close();

  // On each member, in this order, for operation number `op` of the region.
  void begin(const Member& member, uint32_t op, const OpPlace& place, const OpCost& cost) noexcept;
  void done(const Member& member, uint32_t op) noexcept;
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
  };
  struct Stamps {
    Clock::time_point begin, done, left;
  };
  struct Region {
    Clock::time_point start, end;
    int64_t first_op = 0, capacity = 0, used = 0, lost = 0, first_stamp = 0;
    int members = 0;  // that came
  };
  Stamps* stamps(int member, uint32_t op) {
    const Region& r = regions_.back();
    return op < r.capacity ? &stamps_[static_cast<size_t>(r.first_stamp + member * r.capacity + op)] : nullptr;
  }
  const Stamps& stamps(const Region& r, int member, int64_t op) const {
    return stamps_[static_cast<size_t>(r.first_stamp + member * r.capacity + op)];
  }

  std::vector<Op> ops_;
  std::vector<Stamps> stamps_;  // region after region, member after member
  std::vector<Region> regions_;
};

}  // namespace tw
