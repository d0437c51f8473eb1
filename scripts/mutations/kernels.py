"""Of the kernels of the CPU and the operations over them."""

from mutations.mutation import Mutation

GEMM = "kernels/cpu/gemm-inl.h"
ATTENTION = "kernels/cpu/attention-inl.h"
ABSORB = "kernels/cpu/absorb-inl.h"
ABSORBED_OPS = "kernels/ops_absorbed.cpp"
ATTENTION_BF16 = "kernels/cpu/attention_bf16-inl.h"
AMX = "kernels/cpu/amx_avx512.cpp"
PARALLEL = "core/parallel.h"
INT8 = "kernels/cpu/gemm_int8-inl.h"
ROWS = "kernels/cpu/rows-inl.h"
MATH = "kernels/cpu/math-inl.h"
INPUTS = "kernels/cpu/inputs-inl.h"
RESIZE = "kernels/cpu/resize-inl.h"
AVX512 = "kernels/cpu/simd_avx512.h"
PRODUCT = "kernels/ops_product.cpp"
ATTENTION_OPS = "kernels/ops_attention.cpp"
PACK = "kernels/pack.cpp"
RESIZE_TAPS = "kernels/resize.cpp"
STRASSEN = "kernels/cpu/strassen-inl.h"
STRASSEN_OPS = "kernels/ops_strassen.cpp"
STRASSEN_PACK = "kernels/pack_strassen.cpp"

KERNELS = [
    # Matrix products.
    Mutation(
        "gemm-drop-k-step", GEMM, "the last step of k",
        "for (int64_t step = 0; step < groups; ++step) {",
        "for (int64_t step = 0; step + 1 < groups; ++step) {"),
    Mutation(
        "gemm-skip-last-tile", GEMM, "the last tile of rows",
        "for (int64_t t = 0, row = 0; t < tiles; ++t) {",
        "for (int64_t t = 0, row = 0; t + 1 < tiles; ++t) {"),
    Mutation(
        "gemm-tile-height", GEMM, "tiles of five rows, where there are many, are taken for tiles of six",
        "for_each_tile_of<5, 6, MaxNS>(",
        "for_each_tile_of<6, 6, MaxNS>("),
    Mutation(
        "gemm-stale-bias", GEMM, "every tile gets the first tile's bias",
        "V::load(d.bias + column + c, lanes)",
        "V::load(d.bias + c, lanes)"),
    Mutation(
        "gemm-last-column", GEMM, "the last column of a partial vector",
        "body(j, j * V::kLanes, First{static_cast<int>(left)});",
        "body(j, j * V::kLanes, First{static_cast<int>(left) - 1});"),
    Mutation(
        "gemm-wrong-strip", GEMM, "later tiles use the first strips of weights",
        "reinterpret_cast<const char*>(p.weights + first * kStrip) + column / kStrip * strip_bytes(p),",
        "reinterpret_cast<const char*>(p.weights + first * kStrip),"),
    Mutation(
        "gemm-sum-range-lost", GEMM, "a product forgets all sums of 192 but the last",
        "sum = V::load(before) + sum; };",
        "(void)before; };"),
    Mutation(
        "gemm-range-sums", GEMM, "the sums of a long product do not wait by row",
        "depth.sums + row * kPanel + column;",
        "depth.sums + column;"),
    Mutation(
        "gemm-range-lost", GEMM, "a long product forgets its ranges but the last",
        "} else if (of_range != nullptr && first > 0) {",
        "} else if (first < 0) {"),
    Mutation(
        "gemm-residual-lost", GEMM, "the output is replaced, not added to",
        "acc.at[i][j] = acc.at[i][j] + V::load(y + i * d.y_stride + c, lanes);",
        "acc.at[i][j] = acc.at[i][j];"),
    Mutation(
        "gemm-activation-row", GEMM, "the first row of a tile is not activated",
        "activate_row<V>(activation, rows, rows, MR * NS * 16);",
        "activate_row<V>(activation, rows + NS * 16, rows + NS * 16, (MR - 1) * NS * 16);"),
    Mutation(
        "gemm-swap-lanes", PACK, "the first two columns of every strip change places",
        "store(strip, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));",
        "store(strip, __builtin_shufflevector(ab_low, cd_low, 1, 0, 4, 5));"),
    Mutation(
        "gemm-pack-last-k", PACK, "the last k is packed as its neighbour",
        "for (int64_t k = done; k < k_; ++k) strip[k * kStrip + lane] = in[lane * k_ + k];",
        "for (int64_t k = done; k < k_; ++k) strip[k * kStrip + lane] = in[lane * k_ + (k == k_ - 1 && k > 0 ? k - 1 : k)];"),
    # bf16, bytes and tiles.
    Mutation(
        "bf16-pack-swap", PACK, "the two halves of every pair of weights change places",
        "return (k / 2 * kStrip + lane) * 2 + k % 2; }",
        "return (k / 2 * kStrip + lane) * 2 + 1 - k % 2; }"),
    Mutation(
        "bf16-odd-half", GEMM, "the odd half of every pair is left out where pairs are widened",
        "for (int half = 1; half >= 0; --half) {",
        "for (int half = 0; half >= 0; --half) {"),
    Mutation(
        "bf16-widened-range", GEMM, "every range of pairs is widened from the beginning of its row",
        "widen_pairs<V>(a + i * a_stride + first * kGroupBytes, count,",
        "widen_pairs<V>(a + i * a_stride, count,"),
    Mutation(
        "bf16-attention-values", ATTENTION_BF16, "the last key of an odd number has no value",
        "const uint16_t* odd = last ? zeros : even + p.v_stride + c;",
        "const uint16_t* odd = last || count - j <= 3 ? zeros : even + p.v_stride + c;"),
    Mutation(
        "bf16-attention-padding", ATTENTION_BF16, "probabilities behind the last key are left as they were",
        "clear(weights + i * block_depth + count, count_depth - count);",
        "clear(weights + i * block_depth + count, 0);"),
    Mutation(
        "amx-shifted-rows", AMX, "the rows of the last tile come from the wrong place",
        "return row <= last ? row : last > 0 ? last : int64_t{0};",
        "return row <= last ? row : last > 0 ? last - 1 : int64_t{0};", needs="amx_tile"),
    Mutation(
        "amx-second-strip", AMX, "the second strip of a block is the first again",
        "_tile_loadd(7, b.strip + b.strip_bytes + step * kTileBytes, kLineBytes);",
        "_tile_loadd(7, b.strip + step * kTileBytes, kLineBytes);", needs="amx_tile"),
    Mutation(
        "amx-last-step", AMX, "the last line of k",
        "for (int64_t step = 0; step < b.steps; ++step) {",
        "for (int64_t step = 0; step + 1 < b.steps; ++step) {", needs="amx_tile"),
    Mutation(
        "amx-unfinished-row", AMX, "a row of every block is not finished",
        "while (row != end) finish_one();",
        "while (row != end && row + 1 != end) finish_one();\n    row = end;", needs="amx_tile"),
    Mutation(
        "int8-zero-point", INT8, "every row gets the first row's zero point",
        "P::to_float(sums.at[i][j], p.x_zero[row + i], p.w_sum + c)",
        "P::to_float(sums.at[i][j], p.x_zero[0], p.w_sum + c)"),
    Mutation(
        "int8-scale", INT8, "every row gets the first row's scale",
        "(w_scale * V(p.x_scale[row + i]))",
        "(w_scale * V(p.x_scale[0]))"),
    Mutation(
        "int8-input-kept", PRODUCT, "what an earlier product read is taken for what this one reads",
        "quantized_for(x, q, ex.sequence - 1)",
        "quantized_for(x, q, ex.in_quantized.used_by)"),
    Mutation(
        "int8-norm-rows", "kernels/ops.cpp", "a LayerNorm leaves out the last row of every unit when it quantises",
        "quantize_rows(ex, copy, eight_bit, first, count);",
        "quantize_rows(ex, copy, eight_bit, first, count - 1);"),
    Mutation(
        "gemm-ops-stale-bias", PRODUCT, "every panel gets the first panel's bias",
        ".bias = w.bias == nullptr ? nullptr : w.bias + n0,\n"
        "                        .y = y.f32_row(m0) + n0,\n"
        "                        .y_stride = y.stride,\n"
        "                        .rows = m1 - m0,\n"
        "                        .columns = columns,\n"
        "                        .k = w.k,",
        ".bias = w.bias,\n"
        "                        .y = y.f32_row(m0) + n0,\n"
        "                        .y_stride = y.stride,\n"
        "                        .rows = m1 - m0,\n"
        "                        .columns = columns,\n"
        "                        .k = w.k,"),
    Mutation(
        "gemm-ops-row-block", PRODUCT, "rows at the seam of two blocks",
        "rows * (block + 1) / pieces.blocks,\n"
        "         next",
        "rows * (block + 1) / pieces.blocks - (block + 1 < pieces.blocks),\n"
        "         next"),
    Mutation(
        "gemm-reference-k", "kernels/reference/linear.cpp", "the last k of the reference's product",
        "sum += static_cast<double>(p.x[m * p.x_stride + k]) * static_cast<double>(strip[k * kStrip + n % kStrip]);",
        "sum += k + 1 == p.k ? 0.0 : static_cast<double>(p.x[m * p.x_stride + k]) * static_cast<double>(strip[k * kStrip + n % kStrip]);"),
    Mutation(
        "similarity-scale", GEMM, "the scale of the logits",
        "= p.scale * sum(total);",
        "= sum(total);"),
    # Attention.
    Mutation(
        "attention-drop-key", ATTENTION, "the last key has no part in the sum of values",
        "scores, keys_padded, values, p.keys, rows, p.width);",
        "scores, keys_padded, values, p.keys - 1, rows, p.width);"),
    Mutation(
        "attention-key-not-counted", ATTENTION, "the last key is missing from the softmax",
        "weights_of<V>(p, row, p.keys, largest);",
        "weights_of<V>(p, row, p.keys - 1, largest);"),
    Mutation(
        "attention-max-misses-key", ATTENTION, "the maximum does not see the last key",
        "largest_scaled<V>(row, p.keys, p.scale);",
        "largest_scaled<V>(row, p.keys - (p.keys > 1), p.scale);"),
    Mutation(
        "attention-stale-sum", ATTENTION, "rows of a tile are divided by the first row's sum",
        "first + i, factor[i])",
        "first + i, factor[0])"),
    Mutation(
        "attention-reads-past-keys", ATTENTION, "keys beyond the sequence are read",
        "p.k_stride, count,",
        "p.k_stride, kStrip + 0 * count,"),
    Mutation(
        "attention-last-value-column", ATTENTION, "the last column of a partial strip of V",
        ": left > 0        ? widened(V(0.0f), row + c, First{static_cast<int>(left)})",
        ": left > 1        ? widened(V(0.0f), row + c, First{static_cast<int>(left) - 1})"),
    Mutation(
        "attention-second-tile", ATTENTION, "later tiles of queries repeat the first one's",
        "return {p.q + first * p.q_stride, p.q_stride,",
        "return {p.q, p.q_stride,"),
    Mutation(
        "attention-scale", ATTENTION_OPS, "scores are divided by the root of the whole width",
        "1.0f / std::sqrt(static_cast<float>(width))",
        "1.0f / std::sqrt(static_cast<float>(q.columns))"),
    Mutation(
        "attention-wrong-head", ATTENTION_OPS, "every head reads the first head's keys",
        ".k = row(k, s.first_key) + key_column,",
        ".k = row(k, s.first_key),"),
    Mutation(
        "attention-wrong-item", ATTENTION_OPS, "every item reads the first item's values",
        ".v = row(v, s.first_key) + key_column,",
        ".v = row(v, 0) + key_column,"),
    Mutation(
        "attention-block-rescale", ATTENTION, "what is summed keeps the old maximum when a block of keys raises it",
        "if (first > 0 && factor != 1.0f) scale_row",
        "if (first > 0 && factor > 1.0f) scale_row"),
    Mutation(
        "attention-block-sum", ATTENTION, "so does the sum of the exponentials",
        "    sum *= factor;",
        ""),
    Mutation(
        "attention-block-values", ATTENTION, "every block of keys weighs the first block's values",
        "values + first * width_padded, count,\n",
        "values, count,\n"),
    Mutation(
        "attention-block-infinity", ATTENTION, "a block of scores that are all minus infinity spoils the row",
        "return largest == -HUGE_VALF ? 0.0f : largest;",
        "return largest;"),
    Mutation(
        "attention-bf16-block-rescale", ATTENTION_BF16, "what is summed in bf16 attention keeps the old maximum",
        "if (key > 0 && factor != 1.0f) scale_row",
        "if (key > 0 && factor > 1.0f) scale_row"),
    Mutation(
        "widened-keys", ATTENTION, "every key of sixteen in bf16 is the first of them",
        "rows + i * p.k_stride, columns)",
        "rows + i * 0, columns)"),
    Mutation(
        "widened-queries", ATTENTION, "later tiles of queries in bf16 repeat the first one's",
        "p.q + (first + i) * p.q_stride",
        "p.q + (0 * first + i) * p.q_stride"),
    Mutation(
        "widened-results", ATTENTION, "rows in bf16 are divided by half their sums",
        "V::load(sums + c, lanes) * V(factor), lanes)",
        "V::load(sums + c, lanes) * V(2.0f * factor), lanes)"),
    Mutation(
        "scores-odd-strip", ATTENTION, "the last strip of an odd number of them has no scores",
        "if (s < strips) score_tile",
        "if (s + 1 < strips) score_tile"),
    Mutation(
        "scores-rows", ATTENTION, "every tile of scores has the first one's rows of q",
        "const float* from = a + row * a_stride;",
        "const float* from = a;"),
    Mutation(
        "absorb-last-strip", ABSORB, "the last strip of a head's keys",
        "h < p.heads && s < strips; ++s) {",
        "h < p.heads && s + (strips > 1) < strips; ++s) {"),
    Mutation(
        "absorb-stale-lanes", ABSORB, "lanes behind the last head keep what was there",
        "h < (p.heads + kStrip - 1) / kStrip * kStrip; ++h) {",
        "h < p.heads; ++h) {"),
    Mutation(
        "absorb-maximum", ABSORB, "the maximum does not see the last row",
        "for (int64_t r = 0; r < p.rows; ++r) largest",
        "for (int64_t r = 0; r + (p.rows > 1) < p.rows; ++r) largest"),
    Mutation(
        "absorb-head-tile", ABSORB, "later tiles of heads weigh by the first one's",
        "const float* weight = p.p + r * p.p_stride + head;",
        "const float* weight = p.p + r * p.p_stride;"),
    Mutation(
        "absorb-second-group", ABSORBED_OPS, "sequences of a group ask with the first one's query",
        "a.q.f32_row(group[i].first_query)",
        "a.q.f32_row(group[0].first_query)"),
    Mutation(
        "absorb-value-bias", ABSORBED_OPS, "every head gets the first head's bias of values",
        "nullptr : a.values.bias + column",
        "nullptr : a.values.bias"),
    Mutation(
        "absorb-score-block", ABSORBED_OPS, "rows of a longer sequence's second block of scores",
        "s.first_key + s.keys * block / blocks, end",
        "s.first_key + s.keys * block / blocks + (block > 1), end"),
    Mutation(
        "attention-swap-lanes-512", AVX512, "lanes of the key transposition",
        "r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xEE);",
        "r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xBE);",
        needs="avx512f"),
    # Rows.
    Mutation(
        "layer-norm-epsilon", ROWS, "epsilon is not the model's",
        "(variance < 0.0f ? 0.0f : variance) + p.epsilon",
        "(variance < 0.0f ? 0.0f : variance) + 1e-5f"),
    Mutation(
        "layer-norm-tail", ROWS, "absent lanes count in the variance",
        "const V d = select(k, V::load(x + i, k) - mean, V(0.0f));",
        "const V d = V::load(x + i, k) - mean;"),
    Mutation(
        "layer-norm-unbiased", ROWS, "the variance is divided by n - 1",
        "sum(squares) * share - shift",
        "sum(squares) / (static_cast<float>(p.columns) - 1.0f) - shift"),
    Mutation(
        "layer-norm-mean-error", ROWS, "what rounding the mean leaves",
        "const float shift = sum(rest) * share;",
        "const float shift = 0.0f * sum(rest);"),
    Mutation(
        "layer-norm-gamma-row", ROWS, "gamma starts anew in every vector",
        "V::load(p.gamma + i, k), V::load(p.beta + i, k)",
        "V::load(p.gamma + i % 16, k), V::load(p.beta + i, k)"),
    Mutation(
        "parts-tail", "kernels/cpu/lanes.h", "of a row's last vectors the one that is not whole is left out",
        "      body(i, First{static_cast<int>(n - i)}, part);\n",
        ""),
    Mutation(
        "parts-fourth", ROWS, "the fourth accumulator is forgotten",
        "return f(f(of[0], of[1]), f(of[2], of[3]));",
        "return f(f(of[0], of[1]), of[2]);"),
    Mutation(
        "softmax-tail", ROWS, "absent lanes count in the sum",
        "total[part] = total[part] + select(lanes, e, V(0.0f));",
        "total[part] = total[part] + e;"),
    Mutation(
        "l2-epsilon", ROWS, "an epsilon under the root",
        "const V norm(::sqrtf(sum(squares)));",
        "const V norm(::sqrtf(sum(squares) + 1e-6f));"),
    Mutation(
        "sum-swap-lanes-512", AVX512, "one quarter is summed twice",
        "_mm512_extractf32x8_ps(a.v, 1));\n"
        "  const __m128 four = _mm_add_ps",
        "_mm512_extractf32x8_ps(a.v, 0));\n"
        "  const __m128 four = _mm_add_ps",
        needs="avx512f"),
    # Activations.
    Mutation(
        "exp-coefficient", MATH, "a digit of a coefficient of exp",
        "0.1666652063f",
        "0.1666552063f"),
    Mutation(
        "exp2-coefficient", MATH, "a digit of a coefficient of the power of two in attention and quick_gelu",
        "0.2401644119f",
        "0.2401744119f"),
    Mutation(
        "exp2-roughly-coefficient", MATH, "a digit of a coefficient of the power of two in attention in bf16",
        "0.2412802615f",
        "0.2512802615f"),
    Mutation(
        "reciprocal-step", AVX512, "the step of Newton's is left out",
        "F32x16(0.0f), better);",
        "F32x16(0.0f), estimate + F32x16(0.0f) * better);", needs="avx512f"),
    Mutation(
        "reciprocal-limit", AVX512, "the reciprocal of infinity is NaN",
        "select(less(F32x16(0x1p126f), a), F32x16(0.0f), better)",
        "better", needs="avx512f"),
    Mutation(
        "erf-limit", MATH, "erf is 1 too early",
        "less(V(5.6f), abs(x))",
        "less(V(4.6f), abs(x))"),
    Mutation(
        "gelu-limit", MATH, "gelu is 0 too early",
        "gate(x, kP, kQ, 6.0f)",
        "gate(x, kP, kQ, 4.0f)"),
    Mutation(
        "quick-gelu-constant", MATH, "1.702",
        "V(-1.702f * kLog2OfE)",
        "V(-1.7f * kLog2OfE)"),
    Mutation(
        "gelu-coefficient", MATH, "a digit of a coefficient of gelu_new",
        "-0.3421333879f",
        "-0.3421343879f"),
    Mutation(
        "gelu-is-tanh", MATH, "the tanh form for gelu",
        "return body([](V x) { return gelu(x); });",
        "return body([](V x) { return gelu_tanh(x); });"),
    Mutation(
        "selu-constant", MATH, "selu's alpha",
        "V(1.6732632423543772f)",
        "V(1.6732f)"),
    # Inputs.
    Mutation(
        "embed-type-ignored", INPUTS, "token types",
        "(V::load(word + i, k) + V::load(type + i, k))",
        "V::load(word + i, k)"),
    Mutation(
        "embed-position-row", INPUTS, "positions of a block start anew",
        "p.position + p.position_ids[r] * p.columns",
        "p.position + p.position_ids[r % 7] * p.columns"),
    Mutation(
        "positions-first", INPUTS, "every block of rows begins at position 0",
        "(p.first + r) % p.period",
        "r % p.period"),
    Mutation(
        "patches-channels", INPUTS, "green and blue change places",
        "out[plane + x] = green[line[3 * x + 1]];\n"
        "        out[2 * plane + x] = blue[line[3 * x + 2]];",
        "out[plane + x] = blue[line[3 * x + 2]];\n"
        "        out[2 * plane + x] = green[line[3 * x + 1]];"),
    Mutation(
        "patches-row", INPUTS, "the vertical order of patches",
        "(c * p.height + gy * p.patch + y) * p.width + gx * p.patch;",
        "(c * p.height + gy * p.patch + (p.patch - 1 - y)) * p.width + gx * p.patch;"),
    Mutation(
        "bf16-truncates", AVX512, "rounding to even",
        "_mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7FFF)), odd)",
        "_mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x8000)), _mm512_and_si512(odd, _mm512_setzero_si512()))",
        needs="avx512f"),
    Mutation(
        "f16-tail", INPUTS, "the last value of an odd count",
        "for (; i < p.count; ++i) to[i] = f16_to_f32(from[i]);",
        "for (; i < p.count - 1; ++i) to[i] = f16_to_f32(from[i]);"),
    # FP8 on the CPU.
    Mutation(
        "e4m3-ties", "kernels/cpu/inputs-inl.h", "ties round up",
        "(magnitude + 0x7FFFFu + (magnitude >> 20 & 1u))",
        "(magnitude + 0x80000u)"),
    Mutation(
        "e4m3-largest", "kernels/cpu/inputs-inl.h", "numbers above 448 are kept",
        "rounded = rounded > 0x43E00000u ? 0x43E00000u : rounded;",
        ""),
    Mutation(
        "fp8-room", "models/fp8.cpp", "inputs overflow where they are larger than what was seen",
        "kLargestE4m3 / kRoom);",
        "16 * kRoom * kLargestE4m3);", tests=("test_models",)),
    # Resize.
    Mutation(
        "resize-shift-coefficient", RESIZE_TAPS, "weights move by one position",
        "const int32_t position = window.group_first + 4 * g + j - first;",
        "const int32_t position = window.group_first + 4 * g + j - first + 1;"),
    Mutation(
        "resize-plain-shift", "kernels/reference/resize.cpp", "the plain pass reads one row off",
        "sum += taps.weights[window.weights + j] * src[j * args.src_stride + b];",
        "sum += taps.weights[window.weights + j] * src[(j > 0 ? j - 1 : j) * args.src_stride + b];"),
    Mutation(
        "resize-rounding", RESIZE, "the half that is added before the shift",
        "kRoundingHalf = 1 << 21;",
        "kRoundingHalf = 1 << 20;"),
    Mutation(
        "resize-quantise", RESIZE_TAPS, "negative weights round the wrong way",
        "weight < 0.0 ? scaled - 0.5 : scaled + 0.5",
        "scaled + 0.5"),
    Mutation(
        "resize-bicubic-a", RESIZE_TAPS, "a = -0.75, as other libraries have it",
        "constexpr double a = -0.5;",
        "constexpr double a = -0.75;"),
    Mutation(
        "resize-last-columns", RESIZE, "the overlapping last vector starts one byte late",
        "b = args.row_bytes - kBytes;",
        "b = args.row_bytes - kBytes - 1;"),
    Mutation(
        "resize-order", RESIZE_TAPS, "the passes always run horizontally first",
        "const bool down_first = is_vertical_first(order, source.height, source.width, height, width);",
        "const bool down_first = is_vertical_first(order, source.height, source.width, height, width) && false;"),

    # Products by Strassen's algorithm.
    Mutation(
        "strassen-sign", STRASSEN, "a product is added where it has to be subtracted",
        "{.quarter = Quarter::c22, .subtracted = true}}},",
        "{.quarter = Quarter::c22}}},"),
    Mutation(
        "strassen-first-range", STRASSEN, "later ranges of k forget the earlier ones",
        "first = use.first && p.first_range;",
        "first = use.first;"),
    Mutation(
        "strassen-last-range", STRASSEN, "the first range of k is taken for the result",
        "last = use.last && p.last_range,",
        "last = use.last,"),
    Mutation(
        "strassen-waiting-rows", STRASSEN, "tiles wait in the same place",
        "(quarter * kStrassenPairs + row) * kStrassenStride + column;",
        "quarter * kStrassenPairs * kStrassenStride + column;"),
    Mutation(
        "strassen-missing-row", STRASSEN, "the row that is not there counts as the one above",
        "const V a21 = both ? V::load(left2 + i, lanes) : V(0.0f);",
        "const V a21 = both ? V::load(left2 + i, lanes) : V::load(left2 + i - p.x_stride, lanes);"),
    Mutation(
        "strassen-right-bias", STRASSEN, "the right half has the left one's bias",
        "p.bias + (right ? p.right : 0),",
        "p.bias,"),
    Mutation(
        "strassen-pack-factor", STRASSEN_PACK, "a factor's sign",
        "b12 - b22, b21 - b11,",
        "b12 - b22, b21 + b11,"),
    Mutation(
        "strassen-lower-rows", STRASSEN_OPS, "parts of an item's pairs have a row too many",
        "std::max<int64_t>(0, std::min(end, rows - pairs) - first)",
        "end - first"),
    Mutation(
        "strassen-parts", STRASSEN_OPS, "every part of the pairs begins at the first",
        "const int64_t first = in.pairs * part / pieces.parts,",
        "const int64_t first = 0 * part,"),
    Mutation(
        "strassen-last-block", "models/vit.cpp", "the last block's products are packed for it too",
        "if (i + 1 == blocks_.size()) continue;",
        "if (i > blocks_.size()) continue;", ("test_models",)),
    Mutation(
        "strassen-scratch", "models/session_plan.cpp", "the sums of one image have to do for a slice",
        "strassen_sums_floats(rows / image_rows, image_rows,",
        "strassen_sums_floats(1, image_rows,", ("test_models",)),
    # Which member does what.
    Mutation(
        "lanes-own", PARALLEL, "every member begins with the first part",
        "const int lane = (member.index + turn) % lanes;",
        "const int lane = (0 * member.index + turn) % lanes;", ("test_core",)),
    Mutation(
        "lanes-late", "core/parallel.cpp", "a member that is late does again what is over",
        "if (static_cast<int32_t>(last - op) > 0) return -1;",
        "if (static_cast<int32_t>(last - op) > 1 << 30) return -1;", ("test_core",)),
    Mutation(
        "lanes-after", PARALLEL, "the last unit of a part is followed by the first of the next one",
        ".begin == unit + 1 ? unit : unit + 1;",
        ".begin == 0 ? unit : unit + 1;", ("test_core",)),
]
