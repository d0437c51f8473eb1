// Running a model: scratch memory, threads, and the encode calls.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/arena.h"
#include "core/parallel.h"
#include "models/chinese_clip.h"
#include "models/forward.h"
#include "models/session_device.h"
#include "models/staged_pictures.h"

namespace tw {

struct SessionOptions {
  int threads = 1;
  Executor executor = {};                // where threads come from; empty: a pool of the session's own
  int64_t max_rows = 2048;               // tokens in a slice; raised to what one image or one text needs
  const KernelTable* kernels = nullptr;  // null: the fastest this CPU runs
  int64_t memory_budget = 0;             // bytes of scratch; 0: no limit
  Device device = {};                    // where encode calls run; none: on the threads
};

// What an encode call may be told besides its inputs.
struct EmbedOptions {
  bool normalize = true;  // divide each embedding by its length
  Capture* capture = nullptr;
  const ProductObserver* observer = nullptr;
  Profile* profile = nullptr;  // gets the regions of this call besides what it has
  const std::atomic<bool>* cancel = nullptr;
  Stop::Clock::time_point deadline = Stop::Clock::time_point::max();
};

// How a forward pass may be ended early.
struct ForwardOptions {
  const std::atomic<bool>* cancel = nullptr;
  Stop::Clock::time_point deadline = Stop::Clock::time_point::max();
};

// Images of the model's own size, one after the other.
struct ImageBatch {
  const void* pixels = nullptr;
  bool u8 = false;               // RGB bytes [count, S, S, 3] through `table`; else f32 [count, C, S, S]
  const float* table = nullptr;  // [3, 256]: what a byte of each channel stands for
  int64_t count = 0;
};

// Token ids of texts, back to back: text i is [offsets[i], offsets[i + 1]).
struct TextBatch {
  std::span<const int32_t> ids;
  std::span<const int64_t> offsets;            // [texts + 1], from 0 to ids.size()
  std::span<const int32_t> type_ids = {};      // empty: all 0
  std::span<const int32_t> position_ids = {};  // empty: 0, 1, 2 ... in each text
};

// Owns scratch for one caller at a time; a second caller meanwhile gets the error busy. Encode calls allocate nothing
// (captures apart, and a profile until it has room); forward passes allocate what they make, and keep their scratch.
// Batches of any size run in slices of `max_rows` tokens. An embedding's bits depend on the model, the kernel table and
// the input alone: not on the batch, its place in it, or the number of threads. Not so on a device where the plan is
// fast, but in f32: there the device's library computes products as it likes for their number of rows, and which of
// them, measurements in this process decide.
//
// On a device the calling thread puts slices on the device's streams, stages the next one's inputs while one is
// computed, and waits for the embeddings; threads prepare inputs, and compare() is theirs too. Forward passes read and
// write the host's memory from there. Captures and profiles are refused (unsupported). What the device reports is
// thrown (internal, out_of_memory); the session may be tried again, and other sessions are not concerned unless the
// device is lost.
class Session {
 public:
  // Throws limit_exceeded if the scratch would exceed the budget, out_of_memory if the system refuses it; on a device
  // what ChineseClip::on_device() does.
  Session(std::shared_ptr<const ChineseClip> model, const SessionOptions& options);
  ~Session();

  // out [count, J]. Throws invalid_argument naming the argument, cancelled, busy. `out` is unspecified after an error.
  void encode_images(const ImageBatch& images, std::span<float> out, const EmbedOptions& options = {});
  void encode_texts(const TextBatch& texts, std::span<float> out, const EmbedOptions& options = {});

  // On a device, which resizes them: `count` pictures, images_in_slice() at a time. fill(first, slice) puts pictures
  // [first, first + slice.count()) while the slice before is computed; it may use team(). `table` as ImageBatch has it.
  // Throws as encode_images(), what fill() throws, and internal without a device.
  using FillPictures = std::function<void(int64_t first, StagedPictures& slice)>;
  void encode_pictures(int64_t count, const float* table, const FillPictures& fill, std::span<float> out,
                       const EmbedOptions& options = {});
  int64_t images_in_slice() const;

  // Everything that the reference documents of the towers. Throws as above, and unsupported for features and embeds of
  // a tower that stands alone.
  Outputs forward(const TextForward& text, const ForwardOptions& options = {});
  Outputs forward(const VisionForward& vision, const ForwardOptions& options = {});

  // logits_per_text [texts, images] = logit_scale * text_embeds [texts, J] . image_embeds [images, J].
  void compare(std::span<const float> text_embeds, std::span<const float> image_embeds,
               std::span<float> logits_per_text);

  const ChineseClip& model() const { return *model_; }
  const KernelTable& kernels() const { return *kernels_; }
  int threads() const { return team_.threads(); }
  // For work between encode calls, such as preparing their input.
  Team& team() { return team_; }
  int64_t scratch_bytes() const { return device_ ? device_sizes_.total() : memory_.size(); }
  const Device& device() const { return where_; }
  int64_t device_weight_bytes() const { return where_ ? running_->weight_bytes() : 0; }
  // The device's library of products, or "none: " and why; empty where the plan does not ask for it.
  std::string product_library() const {
    const ProductChoices* products = running_->products();
    return products == nullptr ? "" : products->open() ? products->text() : "none: " + products->text();
  }
  // The scratch that a Session with these options takes.
  static int64_t scratch_bytes(const ChineseClip& model, const SessionOptions& options);

 private:
  struct Scratch;
  static SessionDevice::Sizes device_sizes(const ChineseClip& model, const SessionOptions& options);
  static Scratch plan(Arena& arena, const ChineseClip& model, const SessionOptions& options);
  // Memory that operations use besides their arguments; shared by a team, but for attention's.
  struct OpMemory {
    float* attention = nullptr;  // [threads, attention_floats]
    int64_t attention_floats = 0;
    uint8_t* quantized = nullptr;       // [rows, widest input of a product], eight-bit models only
    float* quantized_scale = nullptr;   // [rows]
    int32_t* quantized_zero = nullptr;  // [rows]
    float* strassen_sums = nullptr;     // of the deepest such product, where the plan is fast
  };
  // `image_rows`: of an image, where these rows can be those of images; else 0.
  static OpMemory plan_ops(Arena& arena, const ChineseClip& model, int threads, int64_t attention_floats, int64_t rows,
                           int64_t image_rows);
  const OpMemory& op_memory() const;
  // One parallel region through `layers` layers: body(ex) on every member.
  template <class Body>
  void run(const OpMemory& memory, const EmbedOptions& options, int64_t layers, Body body) {
    struct Region {
      Session* session;
      const OpMemory& memory;
      const EmbedOptions& options;
      Body* body;
    } region{this, memory, options, &body};
    front_.reset();
    constexpr int64_t kMostOps = 32;  // of a layer, and outside of the layers
    if (options.profile != nullptr) options.profile->open(team_.threads(), kMostOps * (layers + 1));
    team_.run(
        [](void* argument, const Member& member) {
          const Region& r = *static_cast<Region*>(argument);
          Exec ex{.kernels = r.session->kernels_,
                  .member = member,
                  .front = &r.session->front_,
                  .scratch = r.memory.attention + member.index * r.memory.attention_floats,
                  .quantized = r.memory.quantized,
                  .quantized_scale = r.memory.quantized_scale,
                  .quantized_zero = r.memory.quantized_zero,
                  .strassen_sums = r.memory.strassen_sums,
                  .observer = r.options.observer,
                  .profile = r.options.profile};
          (*r.body)(ex);
        },
        &region);
    if (options.profile != nullptr) options.profile->close();
  }
  // The same of a forward pass, where this session runs.
  template <class Body>
  void run_pass(const OpMemory& memory, int64_t layers, Body body) {
    device_ ? device_->run(body) : run(memory, {}, layers, body);
  }
  const DeviceApi* device_api() const { return where_.handle.api; }
  // `plan` of an arena, run twice: to measure, and over memory that grows to the largest pass so far.
  template <class Plan>
  auto forward_scratch(Plan plan) {
    Arena measure;
    plan(measure);
    if (forward_memory_.size() < measure.used()) {
      constexpr const char* kPurpose = "scratch of a forward pass";
      forward_memory_ = Buffer();
      forward_memory_ =
          device_ ? Buffer::on_device(*device_api(), measure.used(), kPurpose) : Buffer(measure.used(), kPurpose);
    }
    Arena arena(forward_memory_);
    return plan(arena);
  }
  int64_t items_in_slice(int64_t rows_each) const;
  // What patches of a slice are taken from.
  struct SlicePixels {
    SliceShape::Inputs kind;
    const void* pixels;
    const float* table = nullptr;                // of bytes
    std::optional<ResizeBatchArgs> resize = {};  // that makes them
  };
  // take(first, count, inputs) -> SlicePixels, of every slice of `count` images.
  template <class Take>
  void encode_image_slices(int64_t count, std::span<float> out, const EmbedOptions& options, Take take);
  template <class Take>
  void encode_image_slice(int64_t count, float* out, const EmbedOptions& options, Stop& stop, Take take);
  void encode_text_slice(const TextBatch& texts, int64_t first, int64_t count, float* out, const EmbedOptions& options,
                         Stop& stop);
  void check(const TextBatch& texts) const;
  void check(const EmbedOptions& options) const;
  const VisionConfig& checked_vision() const;
  SliceInputs slice_inputs();
  // body(ex, result) through `layers` layers, where this session runs; result [items, J] is, or comes to, `out`. On a
  // device after before(ex), and a shape that was there before may be done without body, from what it put on the stream
  // then.
  template <class Before, class Body>
  void run_slice(const SliceInputs& inputs, const SliceShape& shape, float* out, const EmbedOptions& options,
                 int64_t layers, Stop& stop, Before before, Body body);

  std::shared_ptr<const ChineseClip> model_;
  std::shared_ptr<const ChineseClip> running_;  // model_, or its copy on the device
  Device where_;                                // none: the threads
  const KernelTable* kernels_;
  std::unique_ptr<ThreadPool> pool_;
  Team team_;
  Buffer memory_;
  Buffer forward_memory_;
  SessionDevice::Sizes device_sizes_;
  std::unique_ptr<SessionDevice> device_;  // null: the threads
  std::unique_ptr<Scratch> scratch_;
  WorkFront front_;
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace tw
