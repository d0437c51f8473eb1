#include "kernels/cuda/host_shim/block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "kernels/cuda/host_shim/running_block.h"

namespace tw::shim {
namespace {

std::string text(Site s) {
  const char* slash = std::strrchr(s.file, '/');
  return std::string(s.what) + " (" + (slash == nullptr ? s.file : slash + 1) + ":" + std::to_string(s.line) + ")";
}

// Threads, and the stacks with them, that no launch is using: made once and kept.
thread_local std::vector<std::unique_ptr<Thread>> idle_threads;

}  // namespace

thread_local Block* running = nullptr;

Block::Block(const Launch& launch, const std::function<void()>& body) : launch_(launch), body_(body) {
  const unsigned count = launch.block.x * launch.block.y * launch.block.z;
  for (unsigned i = 0; i < count; ++i) {
    if (idle_threads.empty()) idle_threads.push_back(std::make_unique<Thread>());
    threads_.push_back(std::move(idle_threads.back()));
    idle_threads.pop_back();
    threads_.back()->number = static_cast<int>(i);
    threads_.back()->index = {i % launch.block.x, i / launch.block.x % launch.block.y,
                              i / (launch.block.x * launch.block.y)};
  }
  order_.resize(count);
}

Block::~Block() {
  for (auto& t : threads_) idle_threads.push_back(std::move(t));
}

void Block::put_in_order(const Settings& settings, uint64_t& random) {
  std::iota(order_.begin(), order_.end(), size_t{0});
  if (settings.order == Order::reverse) std::reverse(order_.begin(), order_.end());
  if (settings.order != Order::shuffled) return;
  for (size_t i = order_.size(); i > 1; --i) {  // a multiplicative generator is random enough here
    random = random * 6364136223846793005u + 1442695040888963407u;
    std::swap(order_[i - 1], order_[(random >> 33) % i]);
  }
}

// What memory brings while all threads wait: what was asked for first, last or somewhere between.
bool Block::deliver(const Settings& settings, uint64_t& random) {
  try {
    return sm90_.deliver([&](size_t count) -> size_t {
      if (settings.order != Order::shuffled) return settings.order == Order::forward ? 0 : count - 1;
      random = random * 6364136223846793005u + 1442695040888963407u;
      return static_cast<size_t>(random >> 33) % count;
    });
  } catch (const Abandoned&) {
    throw BlockError(error_);
  }
}

void Block::begin(const Index3& index, bool earlier_done) {
  index_ = index;
  earlier_done_ = earlier_done;
  early_copies_.clear();
  memory_.clear();
  memory_.emplace_back(Site{"dynamic shared memory", "", 0}, SharedMemory(launch_.shared_bytes));
  sm90_.begin(dynamic_shared(), launch_.shared_bytes, threads_.size());
  for (auto& t : threads_) {
    t->fiber.start(entry, this);
    t->state = State::ready;
    t->waited = false;
    t->groups.clear();
    t->copies.clear();
  }
}

void Block::continue_after_launches() {
  earlier_done_ = true;
  for (const EarlyCopy& c : early_copies_)
    if (std::memcmp(c.from, c.bytes.data(), c.bytes.size()) != 0)
      throw BlockError(c.thread + " has copied what an earlier launch writes, without waiting for it");
  for (const auto& t : threads_)
    if (t->state == State::behind_launches) t->state = State::ready;
}

void Block::advance(const Settings& settings, uint64_t& random) {
  const auto in = [this](State state) {
    return std::count_if(threads_.begin(), threads_.end(), [=](const auto& t) { return t->state == state; });
  };
  for (auto left = std::ssize(threads_) - in(State::ended); left > 0;) {
    bool moved = false;
    put_in_order(settings, random);
    for (size_t i = 0, first_of_warp = 0, moves = 0; i < order_.size();) {
      Thread& t = *threads_[order_[i]];
      if (t.state == State::ready) {
        moved = true;
        ++moves;
        current_ = &t;
        t.fiber.resume();
        if (!error_.empty()) throw BlockError(error_);
        if (t.fiber.ended()) {
          end(t);
          --left;
        }
      }
      ++i;
      if (i < order_.size() && threads_[order_[i]]->number / kWarp == t.number / kWarp) continue;
      if (settings.order == Order::reverse && moves != 0) i = first_of_warp;  // once more
      first_of_warp = i;
      moves = 0;
    }
    if (!moved && in(State::behind_launches) != 0) return;
    if (!moved && !deliver(settings, random)) throw BlockError("every thread waits: " + who_waits());
  }
  if (const std::string left = sm90_.left(); !left.empty()) throw BlockError(left);
  for (const auto& [site, memory] : memory_)
    if (!memory.intact()) throw BlockError("written behind " + text(site));
}

std::string Block::who_waits() const {
  for (const auto& t : threads_)
    if (t->state == State::at_barrier || t->state == State::in_warp || t->state == State::asleep)
      return name(*t) + " at " + text(t->site);
  return "nobody";
}

void Block::end(Thread& thread) {
  thread.state = State::ended;
  if (!thread.fiber.stack_intact()) throw BlockError(name(thread) + " ran over the end of its stack");
  if (launch_.waits && !thread.waited) throw BlockError(name(thread) + " ended without waiting for earlier launches");
  for (const auto& group : thread.groups)
    if (!group.empty()) throw BlockError(name(thread) + " ended with asynchronous copies under way");
  if (!thread.copies.empty()) throw BlockError(name(thread) + " ended with asynchronous copies not committed");
  if (const std::string left = sm90_.left_by(thread.number); !left.empty()) throw BlockError(name(thread) + " " + left);
  for (const auto& t : threads_) {
    const bool same_warp = t->number / kWarp == thread.number / kWarp;
    if (t->state == State::at_barrier)
      throw BlockError(name(thread) + " has ended while " + name(*t) + " waits at " + text(t->site));
    if (t->state == State::in_warp && same_warp && (t->mask >> (thread.number % kWarp) & 1) != 0)
      throw BlockError(name(thread) + " has ended while " + name(*t) + " waits for it at " + text(t->site));
  }
}

void Block::fail(const std::string& message) {
  error_ = name(*current_) + ": " + message;
  throw Abandoned{};
}

void Block::barrier(Site site) {
  Thread& self = *current_;
  for (const auto& t : threads_) {
    if (t->state == State::ended) fail("at " + text(site) + " but " + name(*t) + " has ended");
    if (t->state == State::at_barrier && t->site != site)
      fail("at " + text(site) + " but " + name(*t) + " is at " + text(t->site));
  }
  self.state = State::at_barrier;
  self.site = site;
  const bool all =
      std::all_of(threads_.begin(), threads_.end(), [](const auto& t) { return t->state == State::at_barrier; });
  if (all) {
    for (const auto& t : threads_) t->state = State::ready;
  }
  self.fiber.pause();  // the last one too: otherwise it would always be first behind the barrier
}

void Block::wait_for_earlier_launches(Site site) {
  Thread& self = *current_;
  self.waited = true;
  if (earlier_done_) return;
  self.state = State::behind_launches;
  self.site = site;
  self.fiber.pause();
}

void Block::copies_from(const void* from, size_t bytes) {
  if (earlier_done_) return;
  const auto* first = static_cast<const std::byte*>(from);
  early_copies_.push_back({from, {first, first + bytes}, name(*current_)});
}

void Block::collective(Site site, uint32_t mask, void* operand, void (*compute)(Lanes&)) {
  Thread& self = *current_;
  const int first = self.number / kWarp * kWarp;
  if ((mask >> (self.number % kWarp) & 1) == 0) fail("is not in its own mask at " + text(site));
  self.state = State::in_warp;
  self.site = site;
  self.mask = mask;
  self.operand = operand;
  Lanes lanes;
  bool all = true;
  for (int l = 0; l < kWarp; ++l) {
    if ((mask >> l & 1) == 0) continue;
    if (first + l >= static_cast<int>(threads_.size())) fail("the mask names an absent lane at " + text(site));
    const Thread& t = *threads_[static_cast<size_t>(first + l)];
    if (t.state == State::ended) fail("waits at " + text(site) + " for " + name(t) + ", which has ended");
    if (t.state != State::in_warp) {
      all = false;
      continue;
    }
    if (t.site != site) fail("at " + text(site) + " but " + name(t) + " is at " + text(t.site));
    if (t.mask != mask) fail("lanes have different masks at " + text(site));
    lanes.operand[l] = t.operand;
  }
  if (!all) return self.fiber.pause();
  compute(lanes);
  for (int l = 0; l < kWarp; ++l)
    if ((mask >> l & 1) != 0) threads_[static_cast<size_t>(first + l)]->state = State::ready;
  self.fiber.pause();
}

std::byte* Block::shared_array(Site site, size_t bytes) {
  for (auto& [where, memory] : memory_) {
    if (where != site) continue;
    if (memory.bytes() != bytes) fail("asks for another size of shared memory at " + text(site));
    return memory.data();
  }
  return memory_.emplace_back(site, SharedMemory(bytes)).second.data();
}

void Block::begin_copy(const Copy& copy) {
  const auto size = static_cast<size_t>(copy.size);
  const bool fits =
      std::any_of(memory_.begin(), memory_.end(), [&](const auto& m) { return m.second.holds(copy.to, size); });
  if (!fits) fail("asynchronous copy to outside of shared memory");
  if (copy.size != 4 && copy.size != 8 && copy.size != 16) fail("asynchronous copies are of 4, 8 or 16 bytes");
  if (copy.bytes < 0 || copy.bytes > copy.size) fail("asynchronous copy of more bytes than its size");
  if (std::bit_cast<uintptr_t>(copy.to) % size != 0) fail("asynchronous copy to a misaligned address");
  if (std::bit_cast<uintptr_t>(copy.from) % size != 0) fail("asynchronous copy from a misaligned address");
  copies_from(copy.from, static_cast<size_t>(copy.bytes));
  sm90_.copy_begins(copy);
  poison(copy.to, size);
  current_->copies.push_back(copy);
}

const Index3& thread_index() { return running->current().index; }
const Index3& block_index() { return running->index(); }
const Index3& block_size() { return running->launch().block; }
const Index3& grid_size() { return running->launch().grid; }
int thread_number() { return running->current().number; }
void sleep(Site site) { running->sleep(site); }
void wake(int thread) { running->wake(thread); }
Sm90& sm90() { return running->sm90(); }
int lane() { return running->current().number % kWarp; }
void block_barrier(Site site) { running->barrier(site); }
void wait_for_earlier_launches(Site site) { running->wait_for_earlier_launches(site); }
void copies_from(const void* from, size_t bytes) { running->copies_from(from, bytes); }
void warp_collective(Site site, uint32_t mask, void* operand, void (*compute)(Lanes&)) {
  running->collective(site, mask, operand, compute);
}
std::byte* dynamic_shared() { return running->dynamic_shared(); }
std::byte* shared_array(Site site, size_t bytes) { return running->shared_array(site, bytes); }
void begin_copy(void* to, const void* from, int size, int bytes) { running->begin_copy({to, from, size, bytes}); }

void commit_copies() {
  Thread& t = running->current();
  t.groups.push_back(std::move(t.copies));
  t.copies.clear();
}

void wait_for_copies(int groups) {
  Thread& t = running->current();
  while (static_cast<int>(t.groups.size()) > groups) {
    for (const Copy& c : t.groups.front()) {
      running->sm90().copy_takes_place(c);
      do_copy(c);
    }
    t.groups.erase(t.groups.begin());
  }
}

void do_copy(const Copy& copy) {
  std::memset(copy.to, 0, static_cast<size_t>(copy.size));
  std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.bytes));
}

std::vector<Copy> take_copies() {
  Thread& t = running->current();
  std::vector<Copy> all = std::move(t.copies);
  t.copies.clear();
  for (const std::vector<Copy>& group : t.groups) all.insert(all.end(), group.begin(), group.end());
  t.groups.clear();
  return all;
}

void poison(void* at, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) static_cast<std::byte*>(at)[i] = static_cast<std::byte>(kPoison >> (i % 4 * 8));
}

void fail(const std::string& message) { running->fail(message); }

}  // namespace tw::shim
