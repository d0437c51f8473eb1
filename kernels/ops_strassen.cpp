#include "kernels/ops_strassen.h"

#include <algorithm>

#include "core/checked_math.h"
#include "kernels/ops_slices.h"

namespace tw {
namespace {

// Items of equal size whose rows come in pairs: row r of the upper half with row pairs + r.
struct Items {
  Tensor x;
  const PackedStrassen& weights;
  int64_t rows, pairs, count;  // of an item; of an item; items
  float* sums;
  int64_t sums_stride, sums_apart;

  Items(const Exec& ex, Tensor from, const LinearView& w)
      : x(from),
        weights(w.owner->strassen),
        rows(w.item_rows),
        pairs(ceil_div(w.item_rows, int64_t{2})),
        count(from.rows / w.item_rows),
        sums(ex.strassen_sums),
        sums_stride(activation_stride(w.k / 2, DType::f32)),
        sums_apart(count * pairs * sums_stride) {}

  int64_t upper(int64_t item, int64_t pair) const { return item * rows + pair; }
  int64_t lower(int64_t item, int64_t pair) const { return item * rows + pairs + pair; }
  // Pairs [first, end) of an item, as kernels take them.
  StrassenRows pairs_of(int64_t item, int64_t first, int64_t end) const {
    return {.upper = x.f32_row(upper(item, first)),
            .lower = x.f32_row(lower(item, first)),
            .x_stride = x.stride,
            .sums = sums + (item * pairs + first) * sums_stride,
            .sums_stride = sums_stride,
            .sums_apart = sums_apart,
            .pairs = end - first,
            .lower_rows = std::max<int64_t>(0, std::min(end, rows - pairs) - first),
            .depth = weights.depth()};
  }
};

void sum_rows(Exec& ex, const Items& in) {
  const int64_t blocks = ceil_div(in.pairs, kRowsPerUnit);
  ex.begin("strassen_sums", [&] {
    const double read = bytes(in.x);
    return cost_of_rows(in.x, kStrassenSums / 4.0, 0, read, read * kStrassenSums / 4);
  });
  ex.for_each_unit(in.count * blocks, [&](int64_t unit) {
    const int64_t item = unit / blocks, first = unit % blocks * kRowsPerUnit;
    ex.kernels->strassen_sums(in.pairs_of(item, first, std::min(first + kRowsPerUnit, in.pairs)));
  });
}

// The pieces that members share: ranges of columns, times groups of items that read the weights of one while they are
// in cache, times parts of an item's pairs where there would be too little to share, or more than a kernel takes.
struct Pieces {
  int64_t columns, ranges, group, groups, parts;

  Pieces(const Exec& ex, const Items& in)
      : columns(
            std::clamp(round_up(in.weights.half_columns() / (8 * ex.member.count), kPanel), kPanel, kStrassenColumns)),
        ranges(ceil_div(in.weights.half_columns(), columns)),
        group(std::max<int64_t>(1, kRowsPerGroup / in.rows)),
        groups(ceil_div(in.count, group)) {
    const int64_t wanted = ex.member.count == 1 ? 1 : ceil_div(int64_t{2} * ex.member.count, ranges * groups);
    parts = std::max(std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, in.pairs / 24)),
                     ceil_div(in.pairs, kStrassenPairs));
  }

  static constexpr int64_t kRowsPerGroup = 512;
};

}  // namespace

void product_strassen(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation, bool add_to_output) {
  const Items in(ex, x, w);
  const Pieces pieces(ex, in);
  const int64_t columns = in.weights.half_columns();
  sum_rows(ex, in);
  ex.begin("linear_strassen", [&] {
    OpCost cost{.type = DType::f32, .rows = y.rows, .columns = w.n, .k = w.k};
    cost.flops = 2.0 * kStrassenProducts * static_cast<double>(in.count * in.pairs * columns * in.weights.depth());
    cost.weight_bytes = static_cast<double>(in.weights.bytes());
    cost.activation_bytes = bytes(x) * kStrassenProducts / 4 + (add_to_output ? 2 : 1) * bytes(y);
    return cost;
  });
  const int64_t count = pieces.ranges * pieces.groups * pieces.parts;
  ex.for_each_unit(count, [&](int64_t unit) {
    const int64_t n0 = unit % pieces.ranges * pieces.columns, block = unit / pieces.ranges;
    const int64_t first_item = block / pieces.parts * pieces.group, part = block % pieces.parts;
    const int64_t end_item = std::min(first_item + pieces.group, in.count);
    const int64_t first = in.pairs * part / pieces.parts, end = in.pairs * (part + 1) / pieces.parts;
    const int64_t next = WorkFront::after(unit, count, ex.member) % pieces.ranges * pieces.columns;
    for (int64_t item = first_item; item < end_item; ++item) {
      ex.kernels->linear_strassen({.rows = in.pairs_of(item, first, end),
                                   .weights = in.weights.strip_at(n0),
                                   .weights_apart = in.weights.apart(),
                                   .bias = w.bias == nullptr ? nullptr : w.bias + n0,
                                   .y_upper = y.f32_row(in.upper(item, first)) + n0,
                                   .y_lower = y.f32_row(in.lower(item, first)) + n0,
                                   .y_stride = y.stride,
                                   .right = columns,
                                   .columns = std::min(pieces.columns, columns - n0),
                                   .activation = activation,
                                   .add_to_output = add_to_output,
                                   .scratch = ex.scratch,
                                   .next = item + 1 < end_item ? in.weights.strip_at(n0)
                                           : next != n0        ? in.weights.strip_at(next)
                                                               : nullptr});
    }
  });
}

}  // namespace tw
