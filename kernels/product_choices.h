// The fast plan on a device: products that its library may compute, each by whatever was measured to be the fastest.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>

#include "kernels/device.h"
#include "kernels/product_trial.h"

namespace tw {

class ProductChoices;

// How a member of a team may use them.
struct ProductLane {
  ProductChoices* choices = nullptr;  // null: products are by the own kernels
  void* workspace = nullptr;          // BlasLtProduct::kWorkspace bytes that nothing else uses meanwhile
  bool may_try = false;               // products that were not there before; not while a stream is recorded
};

// What the trials of a model's products on a device have shown, for all its sessions. A choice is made once, for the
// first product of a kind, and holds while this lives. Numbers of rows that are near each other share one: steps of 16,
// above 128 eight from a power of two to the next. Any number of threads; trials are one after the other.
class ProductChoices {
 public:
  // Opens the library on the calling thread's device. Throws nothing of the library's: where it cannot be used there
  // are no choices, and text() says why.
  explicit ProductChoices(const Device& device);
  ~ProductChoices();
  ProductChoices(const ProductChoices&) = delete;
  ProductChoices& operator=(const ProductChoices&) = delete;

  bool open() const { return library_.handle != nullptr; }
  const std::string& text() const { return text_; }  // BlasLtLibrary::text, or why it could not be opened

  // Puts the product on the stream by the library, if that is the choice; false: nothing is there, and the own kernel
  // has to compute it. Throws as try_product().
  bool multiply(const ProductLane& lane, DeviceStream stream, const LinearNarrowArgs& p, const PlainWeights& w);

 private:
  // All that a choice depends on.
  struct Kind {
    DType type, y_type;
    Activation activation;
    bool add_to_output, bias;
    int64_t rows;  // the largest number that shares the choice
    int64_t columns, k, x_stride, y_stride;
    uint32_t x_alignment, y_alignment, weights_alignment, bias_alignment;

    auto operator<=>(const Kind&) const = default;
  };
  struct Choice {
    std::optional<blaslt::Algorithm> algorithm;  // none: the own kernel
    int64_t rows = 0;                            // that it was tried with
  };
  static Kind kind_of(const LinearNarrowArgs& p, const PlainWeights& w);
  std::optional<Choice> find(const Kind& kind) const;

  Device device_;
  OpenBlasLt library_ = {};
  std::string text_;
  mutable std::shared_mutex mutex_;
  std::map<Kind, Choice> choices_;
};

}  // namespace tw
