// One CUDA block on one CPU thread: its threads are fibers that run until they wait for each other.
//
// What hardware leaves undefined is an error here, thrown by run() as a BlockError that says who waits where: a barrier
// that not every thread reaches, threads of a block at different barriers, lanes of a warp at different operations, a
// mask that names an absent lane, a stray write to shared memory, asynchronous copies nobody waited for. The
// other fibers of a failed block are abandoned: kernels own nothing that a destructor would have to give back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace tw::shim {

constexpr int kWarp = 32;
// Memory that nothing was written to yet: a NaN in f32, and in every other bf16 and f16, that no computation produces.
constexpr uint32_t kPoison = 0x7FBF8234;

struct Index3 {
  unsigned x = 1, y = 1, z = 1;
};

struct Launch {
  Index3 grid, block;
  size_t shared_bytes = 0;
  bool waits = false;  // every thread calls wait_for_earlier_launches(), or it is an error
  bool early = false;  // it may begin before the launch in front of it has run
};

// In which order threads that could run do run: all of them in turn, or (reverse) each warp for as long as it waits for
// no other. Results must not depend on it: a test that runs a kernel in several has looked for missing barriers.
enum class Order { forward, reverse, shuffled };

struct Settings {
  Order order = Order::forward;
  uint64_t seed = 1;  // of `shuffled`
};
// Of launches that this CPU thread makes from here on.
void set_settings(const Settings& settings);

struct BlockError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A launch that has not run.
struct Kept {
  std::function<void()> run;
  // Of one that may begin early, else null: runs one of its blocks as far as that comes without the launches in front,
  // and returns what is left to do when they have run.
  std::function<std::function<void()>()> begin;
};
// Who gets the launches of this CPU thread on a stream, instead of their being run; null: nobody.
void keep_launches(void (*keep)(void* stream, Kept launch));

// run(), or left to who keeps launches.
void start(void* stream, const Launch& launch, const std::function<void()>& body);

// Runs `body` once per thread of each block, blocks one after the other. Throws BlockError; launches do not nest.
void run(const Launch& launch, const std::function<void()>& body);

// What follows is for the threads of a block, by way of cuda_names.h and device_ops.h.

struct Site {
  const char* what;
  const char* file;
  int line;

  bool operator==(const Site& other) const {
    return line == other.line && std::strcmp(what, other.what) == 0 && std::strcmp(file, other.file) == 0;
  }
};

const Index3& thread_index();
const Index3& block_index();
const Index3& block_size();
const Index3& grid_size();
int lane();  // in the warp

void block_barrier(Site site);

// Until all launches in front of this one have run. What a thread begins to copy before must be the same afterwards.
void wait_for_earlier_launches(Site site);
// The calling thread begins to copy from global memory.
void copies_from(const void* from, size_t bytes);

// Operands of the lanes that take part in an operation of a warp; null for those that do not.
struct Lanes {
  void* operand[kWarp] = {};
};
// Waits for the lanes of `mask`, all of which must come to the same site with the same mask; the last one to arrive
// computes for all.
void warp_collective(Site site, uint32_t mask, void* operand, void (*compute)(Lanes&));

// In the block.
int thread_number();
// The calling thread, until another one wakes it.
void sleep(Site site);
void wake(int thread);
// What the block has of sm_90a (sm90.h).
class Sm90;
Sm90& sm90();

// The block's memory: poisoned when the block begins. `shared_array` gives the same to every thread at a site.
std::byte* dynamic_shared();
std::byte* shared_array(Site site, size_t bytes);
// In the dynamic one, which begins at a multiple of 128 bytes and of no more.
uint32_t shared_address(const void* at);

// A copy of `bytes` from global memory, the rest of `size` zero, that takes place when its thread waits for it; until
// then the destination is poison.
struct Copy {
  void* to;
  const void* from;
  int size, bytes;
};
void begin_copy(void* to, const void* from, int size, int bytes);
void do_copy(const Copy& copy);
// Those that the calling thread has begun and not waited for, which somebody else sees to from now on.
std::vector<Copy> take_copies();
void poison(void* at, size_t bytes);
void commit_copies();
// Until at most `groups` of this thread's groups are under way.
void wait_for_copies(int groups);

// Ends the launch.
[[noreturn]] void fail(const std::string& message);

}  // namespace tw::shim
