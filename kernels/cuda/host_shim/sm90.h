// What sm_90a adds (device_ops_sm90.h), after the PTX ISA: "mbarrier", "cp.async.bulk", "Asynchronous Warpgroup Level
// Matrix Instructions", "Async Proxy". Everything asynchronous happens as late as can be:
//
// - A copy that a barrier counts takes place when no thread of the block can go on without it, those of one barrier at
// a
//   time. Until then its destination is poison, and whoever multiplies it is an error.
// - A product reads its operands when its warp waits for it. Until then its sums are poison, and a copy into its
//   operands is an error. Each warp of a group is by itself: who waits speaks for no other. All four have to begin the
//   same products.
// - What copy_async() brought is there for products of a warp once its lanes have gone through a proxy fence; barriers
//   are there for bulk copies once the thread that made them has.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "core/dtype.h"
#include "kernels/cuda/host_shim/block.h"

namespace tw::shim {

void barrier_init(const uint64_t* barrier, int expected);
void barrier_arrive_expecting(const uint64_t* barrier, int bytes);
void barrier_wait(Site site, const uint64_t* barrier, uint32_t parity);
void copies_arrive(const uint64_t* barrier);
void begin_bulk_copy(void* to, const void* from, int bytes, const uint64_t* barrier);
void proxy_fence();

// d[64, columns] (+)= a[64, 32 bytes] b[columns, 32 bytes]^T, operands by their descriptors. Lane 4 g + t of warp w of
// the group has in d[4 j + 2 h + e] row 16 w + g + 8 h and column 8 j + 2 t + e ("Register Fragments"). Products are
// exact and added in double before the one rounding to f32. Of a sum of e4m3 14 bits are kept, the rest is cut off: so
// much is known of the hardware (DeepSeek-AI 2024, arXiv:2412.19437, section 3.3.2).
void wgmma(Site site, DType type, int columns, float* d, uint64_t a, uint64_t b, bool add);
void wgmma_fence(Site site);
void wgmma_commit(Site site);
// Until at most `groups` of this warp's groups are under way.
void wgmma_wait(Site site, int groups);

// The state of a block.
class Sm90 {
 public:
  void begin(std::byte* shared, size_t bytes, size_t threads);
  // Copies of some barrier take place; false if there are none. `choose(n)` picks one of n barriers, oldest first.
  template <class Choose>
  bool deliver(Choose choose) {
    std::vector<const uint64_t*> waited_for;
    for (const Arrival& a : arrivals_)
      if (waited_for.empty() || waited_for.back() != a.barrier) waited_for.push_back(a.barrier);
    if (waited_for.empty()) return false;
    deliver(waited_for[choose(waited_for.size())]);
    return true;
  }
  // What is wrong where a thread ends, or the block; empty if nothing is.
  std::string left_by(int thread) const;
  std::string left() const;

  // A copy to shared memory begins, and takes place.
  void copy_begins(const Copy& copy);
  void copy_takes_place(const Copy& copy);

  uint32_t address(const void* at) const;
  void init(const uint64_t* barrier, int expected);
  void expect(const uint64_t* barrier, int bytes);
  void wait(Site site, const uint64_t* barrier, uint32_t parity);
  void arrive_with_copies(const uint64_t* barrier);
  void begin_bulk(void* to, const void* from, int bytes, const uint64_t* barrier);
  void fence() { fenced_[static_cast<size_t>(thread_number())] = ++clock_; }

  struct Product {
    Site site;
    DType type;
    int columns;
    uint64_t a, b;
    bool add;
    float* d[kWarp];
  };
  void begin_product(int warp, const Product& product);
  void fence_sums(int warp) { warps_[static_cast<size_t>(warp)].fenced = true; }
  void commit(int warp);
  void wait_for_products(int warp, int groups);

 private:
  struct Barrier {
    int expected, missing;  // arrivals
    int64_t bytes;          // announced and not there
    uint64_t phase, made;
    int maker;
  };
  struct Arrival {
    const uint64_t* barrier;
    int thread;  // -1: a bulk copy, which nobody has to wait for
    int64_t bytes;
    std::vector<Copy> copies;
  };
  // 16 bytes of shared memory.
  struct Granule {
    uint64_t written = 0;  // by copy_async(): when
    int copies = 0, products = 0;
  };
  // What the lanes' sums are meanwhile.
  struct Sums {
    std::vector<float> values;
    int uses = 0;
  };
  struct Warp {
    std::deque<std::vector<Product>> groups;
    std::vector<Product> begun;        // not committed
    std::map<float*, Sums> under_way;  // by where lane 0 has them
    bool fenced = false;
    size_t products = 0;
  };

  Barrier& at(const uint64_t* barrier);
  void arrive(const uint64_t* barrier, Barrier& b);
  void finish_phase(const uint64_t* barrier, Barrier& b);
  void deliver(const uint64_t* barrier);
  template <class Body>
  void for_granules(const void* at, size_t bytes, Body body);
  std::vector<uint32_t> lines(uint64_t descriptor, int first, int count) const;
  template <class Body>
  void for_operands(int warp, const Product& p, Body body);
  void multiply(int warp, const Product& p);
  void give_back(const Product& p, const Sums& sums);

  std::byte* shared_ = nullptr;
  size_t bytes_ = 0;
  uint64_t clock_ = 0;
  std::vector<uint64_t> fenced_;  // of each thread
  std::map<const uint64_t*, Barrier> barriers_;
  std::map<const uint64_t*, std::vector<int>> sleepers_;
  std::vector<Arrival> arrivals_;
  std::vector<Granule> granules_;
  std::vector<Warp> warps_;
  std::vector<std::vector<Product>> of_groups_;  // what the four warps of each have to begin
};

}  // namespace tw::shim
