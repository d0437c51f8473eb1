"""Of the kernels of a device, and of sessions there."""

from mutations.mutation import Mutation

VIT_HEADER = "models/vit.h"
BERT = "models/bert.cpp"
SESSION = "models/session.cpp"
CUDA_LINEAR = "kernels/cuda/linear.cu"
CUDA_LINEAR_NARROW = "kernels/cuda/linear_narrow.cu"
CUDA_NARROW_RESULTS = "kernels/cuda/narrow_results.h"
CUDA_SM90, CUDA_SM90_OPS = "kernels/cuda/linear_sm90.cu", "kernels/cuda/device_ops_sm90.h"
CUDA_SHIM_SM90 = "kernels/cuda/host_shim/sm90.cpp"
WEIGHT_TILES = "kernels/weight_tiles.h"
CUDA_ATTENTION = "kernels/cuda/attention.cu"
CUDA_ATTENTION_HALF = "kernels/cuda/attention_half.cu"
CUDA_RESIZE = "kernels/cuda/resize.cu"
STAGED_PICTURES = "models/staged_pictures.cpp"
SESSION_DEVICE, SESSION_DEVICE_HEADER = "models/session_device.cpp", "models/session_device.h"


def cuda(*arguments):
    return Mutation(*arguments, tests=("test_cuda",))


CUDA = [
    # Fragments: who holds which element.
    cuda(
        "cuda-fragment-row", CUDA_LINEAR_NARROW, "the rows of an accumulator",
        "lane / 4 + e / 2 * 8;",
        "lane / 4 + e % 2 * 8;"),
    cuda(
        "cuda-fragment-key", CUDA_ATTENTION_HALF, "which keys a matrix of the second operand has",
        "ks + (group * 16 + matrix / 2 * 8",
        "ks + (group * 16 + matrix % 2 * 8"),
    cuda(
        "cuda-fragment-probability", CUDA_ATTENTION_HALF, "probabilities as a first operand",
        "round_pair<kType>(right[0], right[1]), round_pair<kType>(right[2], right[3])",
        "round_pair<kType>(right[2], right[3]), round_pair<kType>(right[0], right[1])"),
    cuda(
        "cuda-quad", "kernels/cuda/device_ops.h", "a maximum over half of the lanes of a row",
        "return fmaxf(v, __shfl_xor_sync(kAllLanes, v, 2));",
        "return v;"),
    cuda(
        "cuda-shim-mma", "kernels/cuda/host_shim/warp.cpp", "the emulated layout itself",
        "a[g + i % 2 * 8][each * t + e + i / 2 * 4 * each]",
        "a[g + i / 2 * 8][each * t + e + i % 2 * 4 * each]"),
    # Barriers and copies under way.
    cuda(
        "cuda-barrier-bf16", CUDA_LINEAR_NARROW, "no barrier between a step's arrival and its use",
        "    __syncthreads();  // this step is there for all, and all are done with the stage that is loaded next\n",
        ""),
    cuda(
        "cuda-barrier-reuse", CUDA_LINEAR, "a stage is loaded while others still read it",
        "    }\n    __syncthreads();\n",
        "    }\n"),
    cuda(
        "cuda-barrier-warp", CUDA_ATTENTION, "weights are read before other lanes have written theirs",
        "    __syncwarp();\n",
        ""),
    cuda(
        "cuda-barrier-divergent", CUDA_ATTENTION_HALF, "warps without queries leave before the barriers",
        "  uint32_t query[kPadded / 16][4] = {};",
        "  if (!asks) return;\n  uint32_t query[kPadded / 16][4] = {};"),
    cuda(
        "cuda-copies-wait", CUDA_LINEAR_NARROW, "one group of copies too many may be under way",
        "copies_wait<kNarrowStages - 2>();",
        "copies_wait<kNarrowStages - 1>();"),
    # Swizzles.
    cuda(
        "cuda-swizzle-written", CUDA_LINEAR_NARROW, "weights are written where they are not read",
        "copy_async<16>(\n        to.w + w_word(strip, line, quad),",
        "copy_async<16>(\n        to.w + strip * kStripWords + line * kLineWords + quad * 4,"),
    cuda(
        "cuda-swizzle-banks", CUDA_LINEAR_NARROW, "rows of activations share banks",
        "(chunk ^ (row / 2 % kRowChunks))",
        "(chunk ^ (row / 4 % kRowChunks))"),
    # Bounds.
    cuda(
        "cuda-bound-row", CUDA_LINEAR_NARROW, "the row behind the last is read",
        "const bool there = row0 + r < p.rows;",
        "const bool there = row0 + r <= p.rows;"),
    cuda(
        "cuda-bound-key", CUDA_ATTENTION_HALF, "the key behind the last counts",
        "in_group * 2 + i % 2 < left ?",
        "in_group * 2 + i % 2 <= left ?"),
    cuda(
        "cuda-bound-k", CUDA_LINEAR, "the last k of a step that is not full",
        "left > 0 ? static_cast<int>(left) * 4 : 0;",
        "left > 0 ? static_cast<int>(left - 1) * 4 : 0;"),
    cuda(
        "cuda-geometry-queries", "kernels/cuda/geometry.h", "queries behind the last full tile have no block",
        "ceil_div(most_queries, int64_t{kTileQueries})",
        "most_queries / kTileQueries"),
    # Arithmetic.
    cuda(
        "cuda-fading", CUDA_ATTENTION_HALF, "sums of earlier keys are not scaled to a new maximum",
        "total[half] *= fading;",
        ""),
    cuda(
        "cuda-mean-error", "kernels/cuda/rows.cu", "what rounding the mean leaves",
        "const float shift = warp_sum(rest) * share;",
        "const float shift = warp_sum(rest) * 0.0f;"),
    cuda(
        "cuda-most-queries", "kernels/ops_device.cpp", "the last sequence's length stands for the longest",
        "most_queries = std::max(most_queries, s.queries);",
        "most_queries = s.queries;"),
    # Rows that move, and the copies that a card's tests work on.
    cuda(
        "cuda-clear-column", "kernels/cuda/inputs.cu", "one byte too many is cleared",
        "for (int64_t c = thread_x(); c < p.bytes; c += kColumnThreads)\n    static_cast<uint8_t*>(p.y)",
        "for (int64_t c = thread_x(); c <= p.bytes; c += kColumnThreads)\n    static_cast<uint8_t*>(p.y)"),
    cuda(
        "cuda-heads-past", "kernels/cuda/inputs.cu", "former keys of all heads but the first",
        "b.before + (unit * b.past + key)",
        "b.before + (unit * keys + key)"),
    cuda(
        "cuda-copies-alignment", "tests/cuda/staged.cpp", "copies lie on boundaries whatever the originals do",
        "offset = kBoundary + misaligned,",
        "offset = kBoundary + 0 * misaligned,"),
    cuda(
        "cuda-copies-beside", "tests/cuda/staged.cpp", "what is written behind an array is not found",
        "|| !std::all_of(last,",
        "|| false && !std::all_of(last,"),
    # Resize on a device.
    cuda(
        "cuda-resize-rounding", CUDA_RESIZE, "sums are cut off, not rounded",
        "int32_t sum = 1 << 21;",
        "int32_t sum = 0;"),
    cuda(
        "cuda-resize-clamp", CUDA_RESIZE, "sums above 255 wrap around",
        "sum > 255 ? 255 : sum",
        "sum"),
    cuda(
        "cuda-resize-step", CUDA_RESIZE, "the first pass steps along rows where it should go down",
        "p.vertical_first ? row : 3, window",
        "3, window"),
    cuda(
        "cuda-resize-left", CUDA_RESIZE, "pictures narrower than the crop begin at its left edge",
        "% row) / 3 - p.left;",
        "% row) / 3;"),
    cuda(
        "cuda-resize-blocks", CUDA_RESIZE, "the first pass ends with its first block",
        "pass(p.most_between, resize_first_kernel);",
        "pass(p.most_between < kElementThreads ? p.most_between : kElementThreads, resize_first_kernel);"),
    cuda(
        "cuda-resize-order", "kernels/resize.cpp", "a device always resizes horizontally first",
        "vertical_first_ = is_vertical_first(order, source_height, source_width, height, width);",
        "vertical_first_ = is_vertical_first(order, source_height, source_width, height, width) && false;"),
    cuda(
        "cuda-resize-crop", STAGED_PICTURES, "windows are those of the whole picture, of which a part is staged",
        "w.first -= first;",
        "w.first -= 0;"),
    cuda(
        "cuda-resize-weights", STAGED_PICTURES, "and their weights those of all outputs",
        "w.weights -= first_weight;",
        "w.weights -= 0;"),
    cuda(
        "cuda-resize-share", STAGED_PICTURES, "what lies between the passes is not counted",
        "if (std::max(bytes, between) > share(side_)) return false;",
        "if (bytes > share(side_)) return false;"),
    cuda(
        "cuda-resize-place", STAGED_PICTURES, "all pictures of a slice lie at its beginning",
        "const int64_t at = used_.fetch_add(bytes, std::memory_order_relaxed);",
        "const int64_t at = 0 * used_.fetch_add(bytes, std::memory_order_relaxed);"),
    # Slices that overlap.
    cuda(
        "cuda-lane-order", SESSION_DEVICE_HEADER, "a slice is computed in the activations of one that is under way",
        "if (&other != &lane && other.busy) lane.queue->follow(*other.queue);",
        "if (&other != &lane && other.busy && false) lane.queue->follow(*other.queue);"),
    cuda(
        "cuda-lane-wait", SESSION_DEVICE, "inputs are staged over those of a slice that is under way",
        "  finish(lane);\n  return {lane.staged",
        "  return {lane.staged"),
    cuda(
        "cuda-lane-shape", SESSION_DEVICE_HEADER, "a lane launches what was recorded of the other",
        "shape.lane = next_;",
        "shape.lane = 0;"),
    cuda(
        "cuda-lane-abandon", SESSION_DEVICE, "after an error work of the other lane goes on",
        "if (lane.busy) lane.queue->wait_whatever_comes();",
        "if (&lane == lanes_) lane.queue->wait_whatever_comes();"),
    cuda(
        "cuda-pictures-large", "models/pictures.cpp", "pictures too large for a device are left out",
        "      const ImageExtent whole = {side, side};\n",
        "      const ImageExtent whole = {side, side};\n      if (i >= 0) return;\n"),
    Mutation(
        "cuda-staging-parts", "models/slice_inputs.h", "each part of a large array is the first again",
        "std::copy_n(array + at,",
        "std::copy_n(array + 0 * at,", tests=("test_models",)),
    Mutation(
        "cuda-targets-alone", "core/device_cuda.cpp", "sm_90a passes for any device of its major version",
        "e.alone ? e.capability == device :",
        "false ? e.capability == device :", tests=("test_core",)),
    # Sessions on a device.
    cuda(
        "cuda-staging", "models/slice_inputs.h", "the caller's arrays are not staged",
        "if (!is_staging_ || array == nullptr) return array;",
        "return array;"),
    cuda(
        "cuda-upload", BERT, "a layer's last norm is not copied to the device",
        "    upload.copy(to.output_norm, b.output_norm);\n",
        ""),
    cuda(
        "cuda-wide-heads", VIT_HEADER, "heads of any width are attended to in bf16",
        "config_.head_dim() > kWidestDeviceHead ? DType::f32 : narrow_attention(activations)",
        "narrow_attention(activations)"),
    # FP8.
    cuda(
        "fp8-scale", CUDA_NARROW_RESULTS, "sums of E4M3 are not scaled back",
        "if (kType == DType::e4m3 && p.scale != nullptr) v[j] *= scale[j];",
        ""),
    cuda(
        "fp8-next-factor", "models/bert.cpp", "a norm writes for the layer before",
        "next == nullptr ? in : as_input_of(*next, in)",
        "in"),
    cuda(
        "fp8-copied-factor", "models/bert.cpp", "attention in f32 becomes E4M3 without its factor",
        "  a.factor = c.factor;\n",
        "  c.factor = 1.0f;\n"),
    cuda(
        "fp8-stored-columns", CUDA_NARROW_RESULTS, "four columns are stored where fewer are left",
        "const bool whole = at_once && left >= kColumns;",
        "const bool whole = at_once;"),
    cuda(
        "fp8-gathered-bytes", "kernels/cuda/inputs.cu", "rows of E4M3 are taken for bf16",
        "} else if (p.x_type == DType::e4m3) {",
        "} else if (p.x_type == DType::i8) {"),
    # Products by warpgroups.
    cuda(
        "sm90-swizzle", WEIGHT_TILES, "chunks change places in a pattern of four lines",
        "(line % 8)) * 16",
        "(line % 4)) * 16"),
    cuda(
        "sm90-columns", WEIGHT_TILES, "columns lie in tiles in their order",
        "return column - among_32 + 8 * pair + 2 * thread + column % 2;",
        "return column + 0 * (pair + thread);"),
    cuda(
        "sm90-descriptor-stride", CUDA_SM90_OPS, "the next eight lines are looked for behind four",
        "kEightLines = 1024",
        "kEightLines = 512"),
    cuda(
        "sm90-descriptor-swizzle", CUDA_SM90_OPS, "operands are said to lie in the 64-byte swizzle",
        "kSwizzle128 = 1;",
        "kSwizzle128 = 2;"),
    cuda(
        "sm90-descriptor-step", CUDA_SM90_OPS, "the next instruction multiplies half of the same k",
        "static_cast<uint64_t>(byte / 16)",
        "static_cast<uint64_t>(byte / 32)"),
    cuda(
        "sm90-alignment", CUDA_SM90, "stages begin where dynamic shared memory does",
        "(kSwizzleBytes - shared_address(dynamic) % kSwizzleBytes) % kSwizzleBytes",
        "0 * shared_address(dynamic)"),
    cuda(
        "sm90-parity", CUDA_SM90, "every round waits for the first one's copies",
        "step / kStages % 2);",
        "0);"),
    cuda(
        "sm90-arrivals", CUDA_SM90, "a stage is full without the weights",
        "kSm90Threads + 1);",
        "kSm90Threads);"),
    cuda(
        "sm90-bytes", CUDA_SM90, "half of the weights are waited for",
        "barrier_arrive_expecting(stages.full + stage, kTileBytes);",
        "barrier_arrive_expecting(stages.full + stage, kTileBytes / 2);"),
    cuda(
        "sm90-wait-full", CUDA_SM90, "a step is multiplied before it is there",
        "    barrier_wait(stages.full + stage, step / kStages % 2);\n",
        ""),
    cuda(
        "sm90-proxy-fence", CUDA_SM90, "rows may be multiplied as they were before they came",
        "    proxy_fence();  // rows came by cp.async\n",
        ""),
    cuda(
        "sm90-proxy-fence-init", CUDA_SM90, "bulk copies may find barriers as they were before",
        "  // each one's rows, and the weights\n    proxy_fence();\n",
        "  // each one's rows, and the weights\n"),
    cuda(
        "sm90-sums-fence", CUDA_SM90, "products may add to sums as they were before",
        "  wgmma_fence(sum);\n",
        ""),
    cuda(
        "sm90-wait-step", CUDA_SM90, "a stage is filled again while it is multiplied",
        "      wgmma_wait<1>(sum);\n",
        ""),
    cuda(
        "sm90-wait-last", CUDA_SM90, "sums are stored before the last step is added",
        "  if constexpr (kType != DType::e4m3) wgmma_wait<0>(sum);\n",
        ""),
    cuda(
        "sm90-barrier", CUDA_SM90, "a stage is filled again while others multiply it",
        "      __syncthreads();  // the step before has been read by all\n",
        ""),
    cuda(
        "sm90-ahead", CUDA_SM90, "the stage that is multiplied is filled again",
        "kAhead = kStages - 1;",
        "kAhead = kStages;"),
    cuda(
        "sm90-promotion", CUDA_SM90, "sums of E4M3 stay in the tensor cores",
        "if constexpr (kType == DType::e4m3) {\n      // Tensor",
        "if constexpr (kType == DType::f64) {\n      // Tensor"),
    cuda(
        "sm90-first-product", CUDA_SM90, "partial sums begin with what registers held",
        "begin_step<kType, false>(part, x, w);",
        "begin_step<kType, true>(part, x, w);"),
    cuda(
        "sm90-depth", CUDA_SM90, "what lies behind a row is multiplied with zeros, which NaN survives",
        "const bool in_depth = k0 + byte < p.depth;",
        "const bool in_depth = true;"),
    cuda(
        "sm90-rows", CUDA_SM90, "the row behind the last is read",
        "in_depth && p.row0 + r < p.rows;",
        "in_depth && p.row0 + r <= p.rows;"),
    cuda(
        "sm90-sixteens", CUDA_SM90, "rows are taken for aligned to 16 bytes whose stride is not",
        "% kChunk == 0 && x_stride % kChunk == 0)",
        "% kChunk == 0)"),
    cuda(
        "sm90-neighbour", CUDA_SM90, "lanes give away what they keep",
        "odd ? v[j] : v[4 + j], 1);",
        "odd ? v[4 + j] : v[j], 1);"),
    cuda(
        "sm90-halves", CUDA_SM90, "both halves of the rows are the first",
        "v[j] = half == 0 ? sum[at] : sum[at + 2];",
        "v[j] = sum[at];"),
    cuda(
        "sm90-skipped", CUDA_SM90, "a product begins with its tile",
        "tile.column * kTileColumns + column - p.skipped)",
        "tile.column * kTileColumns + column)"),
    cuda(
        "sm90-skipped-tiles", CUDA_SM90, "columns that were skipped take others' blocks",
        "launch(sm90_grid(kType, p.rows, p.skipped + p.columns, tile_rows)",
        "launch(sm90_grid(kType, p.rows, p.columns, tile_rows)"),
    cuda(
        "sm90-band", "kernels/cuda/geometry.h", "the last band of tiles is as high as all others",
        "const int64_t rows = row_tiles - first < kBand ? row_tiles - first : kBand;",
        "const int64_t rows = row_tiles - first < 0 ? row_tiles - first : kBand;"),
    cuda(
        "sm90-strips", "models/weight_upload.cpp", "weights of two bytes come in strips",
        "    if (in_tiles_ && narrow) {",
        "    if (false) {"),
    cuda(
        "sm90-view", "kernels/ops_device.cpp", "a range of columns begins with its tile",
        ".skipped = w.skipped",
        ".skipped = 0 * w.skipped"),
    cuda(
        "sm90-shim-rows", CUDA_SHIM_SM90, "the emulated layout of sums itself",
        "static_cast<size_t>(row % 8 * 4)",
        "static_cast<size_t>(row / 2 * 4)"),
    cuda(
        "sm90-shim-bits", CUDA_SHIM_SM90, "emulated sums of E4M3 have all their digits",
        "constexpr int kBits = 14;",
        "constexpr int kBits = 24;"),
    Mutation(
        "sm90-device", "core/device_cuda.cpp", "code for sm_90a is taken to run on whatever is newer",
        "return capability == 90 &&",
        "return capability >= 90 &&", tests=("test_core",)),
    cuda(
        "cuda-copy-kept", "models/chinese_clip.cpp", "every session has a copy of the weights of its own",
        "if (copy.device == device.handle && copy.table == device.table &&",
        "if (copy.device == device.handle && false &&"),
    cuda(
        "cuda-shape-longest", SESSION, "texts of other lengths pass for the same shape",
        "longest = std::max(longest, length);",
        "longest = 1;"),
    cuda(
        "cuda-record-first", "models/recorded_slices.h", "a slice that may never come again is recorded",
        "if (slice.times == 2)",
        "if (slice.times == 1)"),
    # Kernels that begin before those in front of them have ended.
    cuda(
        "early-no-wait", "kernels/cuda/rows.cu", "a kernel does not wait for those in front of it",
        "  after_earlier_kernels();\n  const LayerNormArgs& p",
        "  const LayerNormArgs& p"),
    cuda(
        "early-some-wait", "kernels/cuda/rows.cu", "warps without a row end without waiting",
        "  after_earlier_kernels();\n  const LayerNormArgs& p = batch.rows;\n  const int64_t row = row_of_warp();\n"
        "  if (row >= p.rows) return;\n",
        "  const LayerNormArgs& p = batch.rows;\n  const int64_t row = row_of_warp();\n"
        "  if (row >= p.rows) return;\n  after_earlier_kernels();\n"),
    cuda(
        "early-read", "kernels/cuda/inputs.cu", "a row is found before it is waited for",
        "  after_earlier_kernels();\n  const auto row = static_cast<int64_t>(blockIdx.x);\n"
        "  const int64_t from = (p.rows != nullptr ? p.rows[row] : row) * p.x_stride, to = row * p.y_stride;\n",
        "  const auto row = static_cast<int64_t>(blockIdx.x);\n"
        "  const int64_t from = (p.rows != nullptr ? p.rows[row] : row) * p.x_stride, to = row * p.y_stride;\n"
        "  after_earlier_kernels();\n"),
    cuda(
        "early-write", "kernels/cuda/inputs.cu", "columns are cleared that kernels in front still read or write",
        "  after_earlier_kernels();\n  for (int64_t c = thread_x(); c < p.bytes; c += kColumnThreads)\n"
        "    static_cast<uint8_t*>(p.y)[static_cast<int64_t>(blockIdx.x) * p.y_stride + c] = 0;\n",
        "  for (int64_t c = thread_x(); c < p.bytes; c += kColumnThreads)\n"
        "    static_cast<uint8_t*>(p.y)[static_cast<int64_t>(blockIdx.x) * p.y_stride + c] = 0;\n"
        "  after_earlier_kernels();\n"),
    cuda(
        "early-rows", CUDA_SM90, "rows are fetched with the weights, before those who write them have ended",
        "  after_earlier_kernels();\n"
        "  for (int step = 0; step < kAhead && step < steps; ++step) load_rows(stages, p, step);\n",
        "  for (int step = 0; step < kAhead && step < steps; ++step) load_rows(stages, p, step);\n"
        "  after_earlier_kernels();\n"),
    cuda(
        "early-sm90", "kernels/cuda/table_cuda.cu", "products by warpgroups begin in turn",
        "entry<kEarly, cuda::linear_sm90>",
        "entry<false, cuda::linear_sm90>"),
    cuda(
        "early-shim-copies", "kernels/cuda/host_shim/block.cpp", "copies that began too early are not looked at again",
        "c.bytes.size()) != 0)",
        "c.bytes.size()) > 1000)"),
    cuda(
        "early-shim-wait", "kernels/cuda/host_shim/block.cpp", "threads may end without waiting",
        "if (launch_.waits && !thread.waited)",
        "if (launch_.waits && !thread.waited && false)"),
    cuda(
        "early-recording", "tests/support/fake_device.h", "a recording begins before what is in front of it has ended",
        "if (std::exchange(first, false)) piece.begin = nullptr;",
        "if (std::exchange(first, false)) piece.earlier = nullptr;"),
    cuda(
        "early-environment", "api/environment.h", "whatever the environment says means early launch",
        "return wanted == \"1\";",
        "return !wanted.empty();"),
    Mutation(
        "early-code", "core/device_cuda.cpp", "kernels begin early that have no instruction to wait with",
        "targets.ptx.value_or(0) >= kFirst",
        "targets.ptx.has_value()", tests=("test_core",)),
    Mutation(
        "cuda-fork", "core/device.cpp", "a forked child uses its parent's device",
        "here != device.process",
        "here < 0", tests=("test_core",)),
]
