#include "kernels/cuda/host_shim/sm90.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace tw::shim {
namespace {

constexpr uint32_t kSharedBegins = 1024 + 128;
constexpr uint32_t kGranule = 16, kLine = 128;
constexpr int kGroupWarps = 4, kWarpRows = 16, kStepBytes = 32;
constexpr uint32_t kAllLanes = ~0u;

int warp_number() { return thread_number() / kWarp; }

// Bits [first, first + count) of a descriptor.
uint32_t field(uint64_t descriptor, int first, int count) {
  return static_cast<uint32_t>(descriptor >> first & ((uint64_t{1} << count) - 1));
}

// Cut to 14 bits.
float as_tensor_cores_keep_it(double sum) {
  constexpr int kBits = 14;
  int exponent = 0;
  const double fraction = std::frexp(sum, &exponent);
  return static_cast<float>(std::ldexp(std::trunc(std::ldexp(fraction, kBits)), exponent - kBits));
}

const std::array<float, 256>& e4m3_numbers() {
  static const std::array<float, 256> kNumbers = [] {
    std::array<float, 256> numbers{};
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = tw::e4m3_to_f32(static_cast<uint8_t>(i));
    return numbers;
  }();
  return kNumbers;
}

// 16 bytes as numbers, kStep floats apart; returns how many.
int widen(DType type, const std::byte* from, float* to, int step) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  if (type == DType::e4m3) {
    for (int i = 0; i < 16; ++i) to[i * step] = e4m3_numbers()[bytes[i]];
    return 16;
  }
  for (int i = 0; i < 8; ++i) {
    const auto half = static_cast<uint16_t>(bytes[2 * i] | bytes[2 * i + 1] << 8);
    to[i * step] = type == DType::bf16 ? tw::bf16_to_f32(half) : tw::f16_to_f32(half);
  }
  return 8;
}

bool poisoned(float v) { return std::bit_cast<uint32_t>(v) == kPoison; }

}  // namespace

void Sm90::begin(std::byte* shared, size_t bytes, size_t threads) {
  *this = Sm90();
  shared_ = shared;
  bytes_ = bytes;
  fenced_.resize(threads);
  granules_.resize((bytes + kGranule - 1) / kGranule);
  warps_.resize((threads + kWarp - 1) / kWarp);
  of_groups_.resize((warps_.size() + kGroupWarps - 1) / kGroupWarps);
}

uint32_t Sm90::address(const void* at) const {
  const auto* byte = static_cast<const std::byte*>(at);
  if (byte < shared_ || byte > shared_ + bytes_) fail("an address outside of dynamic shared memory");
  return kSharedBegins + static_cast<uint32_t>(byte - shared_);
}

// Of static shared memory nothing is kept: no product reads it.
template <class Body>
void Sm90::for_granules(const void* at, size_t bytes, Body body) {
  const auto* byte = static_cast<const std::byte*>(at);
  if (byte < shared_ || byte >= shared_ + bytes_) return;
  const auto first = static_cast<size_t>(byte - shared_);
  for (size_t g = first / kGranule; g <= (first + bytes - 1) / kGranule; ++g) body(granules_[g]);
}

void Sm90::copy_begins(const Copy& copy) {
  for_granules(copy.to, static_cast<size_t>(copy.size), [](Granule& g) {
    if (g.products != 0) fail("a copy into what a product under way reads");
    ++g.copies;
  });
}

void Sm90::copy_takes_place(const Copy& copy) {
  ++clock_;
  for_granules(copy.to, static_cast<size_t>(copy.size), [&](Granule& g) {
    --g.copies;
    g.written = clock_;
  });
}

Sm90::Barrier& Sm90::at(const uint64_t* barrier) {
  const auto found = barriers_.find(barrier);
  if (found == barriers_.end()) fail("a barrier in shared memory that was not initialised");
  return found->second;
}

void Sm90::init(const uint64_t* barrier, int expected) {
  if (std::bit_cast<uintptr_t>(barrier) % sizeof(uint64_t) != 0) fail("a misaligned barrier in shared memory");
  if (expected < 1) fail("a barrier in shared memory that expects nobody");
  if (!barriers_.emplace(barrier, Barrier{expected, expected, 0, 0, ++clock_, thread_number()}).second)
    fail("a barrier in shared memory is initialised again");
}

void Sm90::arrive(const uint64_t* barrier, Barrier& b) {
  if (b.missing == 0) fail("more arrivals at a barrier in shared memory than it expects");
  --b.missing;
  finish_phase(barrier, b);
}

void Sm90::finish_phase(const uint64_t* barrier, Barrier& b) {
  if (b.missing != 0 || b.bytes != 0) return;
  ++b.phase;
  b.missing = b.expected;
  for (const int thread : sleepers_[barrier]) wake(thread);
  sleepers_[barrier].clear();
}

void Sm90::expect(const uint64_t* barrier, int bytes) {
  Barrier& b = at(barrier);
  if (bytes < 0 || bytes >= 1 << 20) fail("a barrier in shared memory cannot count so many bytes");
  b.bytes += bytes;
  arrive(barrier, b);
}

void Sm90::wait(Site site, const uint64_t* barrier, uint32_t parity) {
  const Barrier& b = at(barrier);
  if (parity > 1) fail("a parity that is neither 0 nor 1");
  if (b.phase % 2 != parity) return;
  sleepers_[barrier].push_back(thread_number());
  sleep(site);
}

void Sm90::arrive_with_copies(const uint64_t* barrier) {
  at(barrier);
  arrivals_.push_back({barrier, thread_number(), 0, take_copies()});
}

void Sm90::begin_bulk(void* to, const void* from, int bytes, const uint64_t* barrier) {
  const Barrier& b = at(barrier);
  if (fenced_[static_cast<size_t>(b.maker)] < b.made)
    fail("a bulk copy arrives at a barrier that no proxy fence has shown to it");
  const auto multiple = [](const void* address) { return std::bit_cast<uintptr_t>(address) % kGranule == 0; };
  if (!multiple(to) || !multiple(from) || address(to) % kGranule != 0) fail("a bulk copy of misaligned addresses");
  if (bytes <= 0 || bytes % static_cast<int>(kGranule) != 0) fail("a bulk copy of a size that is no multiple of 16");
  if (address(to) - kSharedBegins + static_cast<size_t>(bytes) > bytes_) fail("a bulk copy over the end of memory");
  const Copy copy{to, from, bytes, bytes};
  copies_from(from, static_cast<size_t>(bytes));
  copy_begins(copy);
  poison(to, static_cast<size_t>(bytes));
  arrivals_.push_back({barrier, -1, bytes, {copy}});
}

void Sm90::deliver(const uint64_t* barrier) {
  const auto here =
      std::stable_partition(arrivals_.begin(), arrivals_.end(), [=](const Arrival& a) { return a.barrier != barrier; });
  const std::vector<Arrival> arriving(here, arrivals_.end());
  arrivals_.erase(here, arrivals_.end());
  for (const Arrival& a : arriving) {
    for (const Copy& copy : a.copies) {
      if (a.thread >= 0) {
        copy_takes_place(copy);
      } else {
        for_granules(copy.to, static_cast<size_t>(copy.size), [](Granule& g) { --g.copies; });
      }
      do_copy(copy);
    }
    Barrier& b = at(barrier);
    if (a.thread >= 0) {
      arrive(barrier, b);
    } else {
      b.bytes -= a.bytes;
      finish_phase(barrier, b);
    }
  }
}

std::string Sm90::left_by(int thread) const {
  const bool has =
      std::any_of(arrivals_.begin(), arrivals_.end(), [=](const Arrival& a) { return a.thread == thread; });
  return has ? "ended with asynchronous copies under way" : "";
}

std::string Sm90::left() const {
  if (!arrivals_.empty()) return "the block ended with bulk copies under way";
  for (size_t w = 0; w < warps_.size(); ++w) {
    if (!warps_[w].groups.empty() || !warps_[w].begun.empty())
      return "warp " + std::to_string(w) + " ended with products under way";
    if (warps_[w].products != of_groups_[w / kGroupWarps].size())
      return "warp " + std::to_string(w) + " has not begun all products of its warpgroup";
  }
  return "";
}

// Where the chunks of 16 bytes of lines [first, first + count) are, two of each: offsets into shared memory.
std::vector<uint32_t> Sm90::lines(uint64_t descriptor, int first, int count) const {
  const uint32_t start = field(descriptor, 0, 14) * kGranule, stride = field(descriptor, 32, 14) * kGranule;
  if (field(descriptor, 14, 2) != 0 || field(descriptor, 30, 2) != 0 || field(descriptor, 46, 3) != 0 ||
      field(descriptor, 52, 10) != 0)
    fail("a matrix descriptor with bits that mean nothing");
  if (field(descriptor, 62, 2) != 1 || field(descriptor, 49, 3) != 0)
    fail("a matrix descriptor of another layout than the 128-byte swizzle from a multiple of 1 KiB on");
  if (start / kLine % 8 != 0 || start % kLine + kStepBytes > kLine)
    fail("a matrix descriptor that begins in the middle of the swizzle's pattern");
  std::vector<uint32_t> chunks;
  for (int line = first; line < first + count; ++line) {
    for (uint32_t chunk = 0; chunk < kStepBytes / kGranule; ++chunk) {
      uint32_t address =
          start + static_cast<uint32_t>(line / 8) * stride + static_cast<uint32_t>(line % 8) * kLine + chunk * kGranule;
      address ^= (address / kLine % 8) * kGranule;
      if (address < kSharedBegins || address + kGranule > kSharedBegins + bytes_)
        fail("a matrix descriptor of what is outside of dynamic shared memory");
      chunks.push_back(address - kSharedBegins);
    }
  }
  return chunks;
}

template <class Body>
void Sm90::for_operands(int warp, const Product& p, Body body) {
  for (const uint32_t at : lines(p.a, warp % kGroupWarps * kWarpRows, kWarpRows)) body(granules_[at / kGranule]);
  for (const uint32_t at : lines(p.b, 0, p.columns)) body(granules_[at / kGranule]);
}

void Sm90::begin_product(int warp, const Product& p) {
  Warp& w = warps_[static_cast<size_t>(warp)];
  std::vector<Product>& of_group = of_groups_[static_cast<size_t>(warp / kGroupWarps)];
  if (w.products == of_group.size()) of_group.push_back(p);
  const Product& same = of_group[w.products++];
  if (same.site != p.site || same.a != p.a || same.b != p.b || same.columns != p.columns || same.add != p.add)
    fail("warps of a warpgroup begin different products");
  uint64_t seen = ~uint64_t{0};
  for (int lane = 0; lane < kWarp; ++lane) seen = std::min(seen, fenced_[static_cast<size_t>(warp * kWarp + lane)]);
  for_operands(warp, p, [&](Granule& g) {
    if (g.copies != 0) fail("a product of what has not arrived");
    if (g.written > seen) fail("a product of what no proxy fence has shown to it");
    ++g.products;
  });
  const auto each = static_cast<size_t>(p.columns / 2);
  Sums& sums = w.under_way[p.d[0]];
  if (sums.uses++ == 0) {
    if (!w.fenced) fail("a product that adds to sums without a fence");
    for (float* d : p.d) {
      sums.values.insert(sums.values.end(), d, d + each);
      poison(d, each * sizeof(float));
    }
  } else if (sums.values.size() != kWarp * each) {
    fail("products of different shapes add to the same sums");
  }
  w.begun.push_back(p);
}

void Sm90::commit(int warp) {
  Warp& w = warps_[static_cast<size_t>(warp)];
  w.groups.push_back(std::move(w.begun));
  w.begun.clear();
}

void Sm90::multiply(int warp, const Product& p) {
  std::vector<float>& values = warps_[static_cast<size_t>(warp)].under_way.at(p.d[0]).values;
  const auto columns = static_cast<size_t>(p.columns);
  float a[kWarpRows][kStepBytes];
  std::vector<float> b(kStepBytes * columns);  // [k][columns]
  int depth = 0;
  const std::vector<uint32_t> rows = lines(p.a, warp % kGroupWarps * kWarpRows, kWarpRows),
                              others = lines(p.b, 0, p.columns);
  for (size_t i = 0; i < rows.size(); ++i) {
    depth = i % 2 == 0 ? 0 : depth;
    depth += widen(p.type, shared_ + rows[i], a[i / 2] + depth, 1);
  }
  for (size_t i = 0; i < others.size(); ++i)
    widen(p.type, shared_ + others[i], b.data() + i % 2 * static_cast<size_t>(depth) / 2 * columns + i / 2, p.columns);
  for (int row = 0; row < kWarpRows; ++row) {
    std::vector<double> sum(columns);
    for (int k = 0; k < depth; ++k)
      for (size_t c = 0; c < columns; ++c)
        sum[c] += static_cast<double>(a[row][k]) * static_cast<double>(b[static_cast<size_t>(k) * columns + c]);
    for (size_t c = 0; c < columns; ++c) {
      const size_t lane = static_cast<size_t>(row % 8 * 4) + c % 8 / 2;
      float& d = values[lane * columns / 2 + c / 8 * 4 + static_cast<size_t>(row / 8 * 2) + c % 2];
      const double total = p.add ? sum[c] + static_cast<double>(d) : sum[c];
      d = p.type == DType::e4m3 ? as_tensor_cores_keep_it(total) : static_cast<float>(total);
    }
  }
}

void Sm90::wait_for_products(int warp, int groups) {
  Warp& w = warps_[static_cast<size_t>(warp)];
  while (static_cast<int>(w.groups.size()) > groups) {
    for (const Product& p : w.groups.front()) {
      multiply(warp, p);
      for_operands(warp, p, [](Granule& g) { --g.products; });
      const auto sums = w.under_way.find(p.d[0]);
      if (--sums->second.uses != 0) continue;
      give_back(p, sums->second);
      w.under_way.erase(sums);
      w.fenced = false;
    }
    w.groups.pop_front();
  }
}

void Sm90::give_back(const Product& p, const Sums& sums) {
  const size_t each = sums.values.size() / kWarp;
  for (size_t lane = 0; lane < kWarp; ++lane) {
    float* d = p.d[lane];
    if (!std::all_of(d, d + each, poisoned))
      fail("sums were written to while a product that adds to them was under way");
    std::copy_n(sums.values.data() + lane * each, each, d);
  }
}

namespace {

// The last lane to arrive does it for all.
void by_warp(Site site, void* operand, void (*compute)(Lanes&)) { warp_collective(site, kAllLanes, operand, compute); }

}  // namespace

uint32_t shared_address(const void* at) { return sm90().address(at); }
void barrier_init(const uint64_t* barrier, int expected) { sm90().init(barrier, expected); }
void barrier_arrive_expecting(const uint64_t* barrier, int bytes) { sm90().expect(barrier, bytes); }
void barrier_wait(Site site, const uint64_t* barrier, uint32_t parity) { sm90().wait(site, barrier, parity); }
void copies_arrive(const uint64_t* barrier) { sm90().arrive_with_copies(barrier); }
void begin_bulk_copy(void* to, const void* from, int bytes, const uint64_t* barrier) {
  sm90().begin_bulk(to, from, bytes, barrier);
}
void proxy_fence() { sm90().fence(); }

void wgmma(Site site, DType type, int columns, float* d, uint64_t a, uint64_t b, bool add) {
  struct Mine {
    Sm90::Product product;
    float* d;
  } mine{{site, type, columns, a, b, add, {}}, d};
  by_warp(site, &mine, [](Lanes& lanes) {
    Sm90::Product all = static_cast<const Mine*>(lanes.operand[0])->product;
    for (int lane = 0; lane < kWarp; ++lane) {
      const auto* one = static_cast<const Mine*>(lanes.operand[lane]);
      if (one->product.a != all.a || one->product.b != all.b) fail("lanes of a warp multiply different operands");
      all.d[lane] = one->d;
    }
    sm90().begin_product(warp_number(), all);
  });
}
void wgmma_fence(Site site) {
  by_warp(site, nullptr, [](Lanes&) { sm90().fence_sums(warp_number()); });
}
void wgmma_commit(Site site) {
  by_warp(site, nullptr, [](Lanes&) { sm90().commit(warp_number()); });
}
void wgmma_wait(Site site, int groups) {
  by_warp(site, &groups,
          [](Lanes& lanes) { sm90().wait_for_products(warp_number(), *static_cast<const int*>(lanes.operand[0])); });
}

}  // namespace tw::shim
