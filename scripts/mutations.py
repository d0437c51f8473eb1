"""The mutations of scripts/mutate.py: (file, text that occurs in it once, what to put there instead)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    name: str  # area-what, unique
    file: str
    breaks: str  # in a few words, for the table
    old: str
    new: str
    tests: tuple = ("test_kernels",)  # of which one must fail: test programs, or cli-NAME for tests/cli/test_NAME.py
    needs: str = ""  # a CPU flag without which the changed code does not run


GEMM = "kernels/cpu/gemm-inl.h"
ATTENTION = "kernels/cpu/attention-inl.h"
ATTENTION_BF16 = "kernels/cpu/attention_bf16-inl.h"
AMX = "kernels/cpu/amx_avx512.cpp"
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
VIT = "models/vit.cpp"
VIT_HEADER = "models/vit.h"
BERT = "models/bert.cpp"
WEIGHTS = "models/weights.cpp"
JOINT = "models/chinese_clip.cpp"
SESSION = "models/session.cpp"

KERNELS = [
    # Matrix products.
    Mutation(
        "gemm-drop-k-step", GEMM, "the last step of k",
        "for (int64_t step = 0; step < groups; ++step) {",
        "for (int64_t step = 0; step + 1 < groups; ++step) {"),
    Mutation(
        "gemm-skip-last-row", GEMM, "the last row of a product",
        "for_each_row_tile(rows, tiles, [&](auto mr,",
        "for_each_row_tile(rows - 1, tiles, [&](auto mr,"),
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
        "reinterpret_cast<const char*>(p.weights + column * p.k + first * kStrip), kLineBytes * p.k,",
        "reinterpret_cast<const char*>(p.weights + first * kStrip), kLineBytes * p.k,"),
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
        "} else if (first > 0) {",
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
        "bf16-widened-tail", GEMM, "pairs that fill no vector are not widened",
        "for (; n < count; ++n) {",
        "for (; n + 1 < count; ++n) {"),
    Mutation(
        "bf16-attention-values", ATTENTION_BF16, "the last key of an odd number has no value",
        "const uint16_t* odd = last ? zeros : even + p.v_stride + c;",
        "const uint16_t* odd = p.keys - j <= 3 ? zeros : even + p.v_stride + c;"),
    Mutation(
        "bf16-attention-padding", ATTENTION_BF16, "probabilities behind the last key are left as they were",
        "clear(weights + i * key_depth + p.keys, key_depth - p.keys);",
        "clear(weights + i * key_depth + p.keys, 0);"),
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
        "q.multiplier, ex.sequence - 1}",
        "q.multiplier, ex.in_quantized.used_by}"),
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
        "exponentials<V>(row, row, p.keys, p.scale, largest);",
        "exponentials<V>(row, row, p.keys - 1, p.scale, largest);"),
    Mutation(
        "attention-max-misses-key", ATTENTION, "the maximum does not see the last key",
        "largest_scaled<V>(row, p.keys, p.scale);",
        "largest_scaled<V>(row, p.keys - (p.keys > 1), p.scale);"),
    Mutation(
        "attention-stale-sum", ATTENTION, "rows of a tile are divided by the first row's sum",
        "V(factor[i])",
        "V(factor[0])"),
    Mutation(
        "attention-reads-past-keys", ATTENTION, "keys beyond the sequence are read",
        "p.k_stride, count,",
        "p.k_stride, kStrip + 0 * count,"),
    Mutation(
        "attention-last-value-column", ATTENTION, "the last column of a partial strip of V",
        ": left > 0        ? V::load(row + c, First{static_cast<int>(left)})",
        ": left > 1        ? V::load(row + c, First{static_cast<int>(left) - 1})"),
    Mutation(
        "attention-second-tile", ATTENTION, "later tiles of queries repeat the first one's",
        "p.q + first * p.q_stride, p.q_stride, keys",
        "p.q, p.q_stride, keys"),
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
        "sum(squares[0] + squares[1]) * share - shift",
        "sum(squares[0] + squares[1]) / (static_cast<float>(p.columns) - 1.0f) - shift"),
    Mutation(
        "layer-norm-mean-error", ROWS, "what rounding the mean leaves",
        "const float shift = sum(rest[0] + rest[1]) * share;",
        "const float shift = 0.0f * sum(rest[0] + rest[1]);"),
    Mutation(
        "layer-norm-gamma-row", ROWS, "gamma starts anew in every vector",
        "V::load(p.gamma + i, k), V::load(p.beta + i, k)",
        "V::load(p.gamma + i % 16, k), V::load(p.beta + i, k)"),
    Mutation(
        "softmax-tail", ROWS, "absent lanes count in the sum",
        "total = total + select(k, e, V(0.0f));",
        "total = total + e;"),
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
        "erf-limit", MATH, "erf is 1 too early",
        "less(V(5.6f), abs(x))",
        "less(V(4.6f), abs(x))"),
    Mutation(
        "gelu-limit", MATH, "gelu is 0 too early",
        "gate(x, kP, kQ, 6.0f)",
        "gate(x, kP, kQ, 4.0f)"),
    Mutation(
        "quick-gelu-constant", MATH, "1.702",
        "x * V(1.702f)",
        "x * V(1.7f)"),
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
]


def model(name, file, breaks, old, new):
    return Mutation(name, file, breaks, old, new, ("test_models",))


MODELS = [
    model(
        "vit-epsilon", VIT, "the epsilon of one LayerNorm",
        'layer + "layer_norm2", d, c.layer_norm_eps',
        'layer + "layer_norm2", d, 1e-12'),
    model(
        "vit-class-position", VIT, "the class token has no position",
        "first[i] = class_token[i] + first[i];",
        "first[i] = class_token[i];"),
    model(
        "vit-keys-are-values", VIT, "keys and values change places",
        'attention + "k_proj", attention + "v_proj"}',
        'attention + "v_proj", attention + "k_proj"}'),
    model(
        "vit-residual", VIT, "the residual around the MLP",
        "linear(ex, wanted, h, b.fc2, Epilogue::add_to_output);",
        "linear(ex, wanted, h, b.fc2);"),
    model(
        "vit-norm-reused", VIT, "the first LayerNorm where the second belongs",
        "layer_norm(ex, yw, wanted, b.norm2);",
        "layer_norm(ex, yw, wanted, b.norm1);"),
    model(
        "vit-no-activation", VIT, "the activation of the MLP",
        "linear(ex, h, yw, b.fc1, activation_);",
        "linear(ex, h, yw, b.fc1);"),
    model(
        "vit-no-post-norm", VIT, "the last LayerNorm",
        "layer_norm(ex, pooled, class_rows, post_norm_);",
        "layer_norm(ex, pooled, class_rows, pre_norm_);"),
    model(
        "vit-last-block-queries", VIT, "in the last block other rows ask than the class tokens",
        "y.every(step), b.qkv.columns(0, d)",
        "y.row_range(0, wanted.rows), b.qkv.columns(0, d)"),
    model(
        "bert-epsilon", BERT, "the text tower's epsilon",
        'w.layer_norm(embedding_norm_, embeddings + "LayerNorm", h, c.layer_norm_eps);',
        'w.layer_norm(embedding_norm_, embeddings + "LayerNorm", h, 1e-5);'),
    model(
        "session-types-ignored", SESSION, "token types",
        ".type_ids = ids_or(texts.type_ids, zeros)",
        ".type_ids = ids_or({}, zeros)"),
    model(
        "bert-residual", BERT, "the residual around attention",
        "linear(ex, y, c, b.out, Epilogue::add_to_output);",
        "linear(ex, y, c, b.out);"),
    model(
        "bert-layer-index", BERT, "every layer gets the first one's query",
        'b.qkv, {self + "query",',
        'b.qkv, {prefix + "encoder.layer.0.attention.self.query",'),
    model(
        "bert-activation", BERT, "gelu whatever the configuration says",
        'activation_of(config.hidden_act, "text_config.hidden_act")',
        'activation_of("gelu", "text_config.hidden_act")'),
    model(
        "joint-logit-scale", JOINT, "the logarithm is taken for the scale",
        "std::exp(model->logit_scale_)",
        "model->logit_scale_"),
    model(
        "joint-loss-direction", JOINT, "the loss looks along one direction",
        "logits_per_text.data() + i, n, n)",
        "logits_per_text.data() + i * n, n, 1)"),
    model(
        "joint-transpose", JOINT, "logits per image are not transposed",
        "out[static_cast<size_t>(c * rows + r)]",
        "out[static_cast<size_t>(r * columns + c)]"),
    model(
        "session-normalise", SESSION, "normalised although raw was asked for",
        'tap(ex, "features", result);\n'
        "    if (options.normalize) l2_normalize(ex, result, result);\n"
        '    if (options.normalize) tap(ex, "embeds", result);\n'
        "  });\n"
        "}\n"
        "\n"
        "void Session::check(",
        'tap(ex, "features", result);\n'
        "    l2_normalize(ex, result, result);\n"
        '    if (options.normalize) tap(ex, "embeds", result);\n'
        "  });\n"
        "}\n"
        "\n"
        "void Session::check("),
    model(
        "session-slice-offset", SESSION, "the second slice of images is the first again",
        "in.given(pixels + first * image_bytes,",
        "in.given(pixels + 0 * first * image_bytes,"),
    model(
        "session-text-slice-types", SESSION, "later slices use the first one's token types",
        "in.given(given.data() + begin, tokens)",
        "in.given(given.data(), tokens)"),
    model(
        "session-positions", SESSION, "positions go on from text to text",
        "= static_cast<int32_t>(t);",
        "= static_cast<int32_t>((s.first_key + t) % model_->text()->config().max_position_embeddings);"),
    model(
        "weights-bias-of-q", WEIGHTS, "keys and values get the queries' bias",
        'vector(w.bias, first, total, name + ".bias", n);',
        'vector(w.bias, first, total, *names.begin() + ".bias", n);'),
    model(
        "weights-second-piece", WEIGHTS, "rows of a large matrix repeat",
        "checkpoint_.read_f32_rows(*tensor, r, {piece",
        "checkpoint_.read_f32_rows(*tensor, 0, {piece"),
    model(
        "ops-share-queries", ATTENTION_OPS, "a row at the seam of two members' queries",
        "end = s.queries * (part + 1) / parts;",
        "end = s.queries * (part + 1) / parts - (part + 1 < parts);"),
    model(
        "config-legacy", "models/config.cpp", "the legacy section is not looked at",
        "legacy ? *legacy : current ? *current : none",
        "current ? *current : none"),
]



def cuda(*arguments):
    return Mutation(*arguments, tests=("test_cuda",))


CUDA_LINEAR = "kernels/cuda/linear.cu"
CUDA_LINEAR_BF16 = "kernels/cuda/linear_bf16.cu"
CUDA_ATTENTION = "kernels/cuda/attention.cu"
CUDA_ATTENTION_BF16 = "kernels/cuda/attention_bf16.cu"
CUDA_RESIZE = "kernels/cuda/resize.cu"
STAGED_PICTURES = "models/staged_pictures.cpp"
SESSION_DEVICE, SESSION_DEVICE_HEADER = "models/session_device.cpp", "models/session_device.h"

CUDA = [
    # Fragments: who holds which element.
    cuda(
        "cuda-fragment-row", CUDA_LINEAR_BF16, "the rows of an accumulator",
        "lane / 4 + e / 2 * 8;",
        "lane / 4 + e % 2 * 8;"),
    cuda(
        "cuda-fragment-key", CUDA_ATTENTION_BF16, "which keys a matrix of the second operand has",
        "ks + (group * 16 + matrix / 2 * 8",
        "ks + (group * 16 + matrix % 2 * 8"),
    cuda(
        "cuda-fragment-probability", CUDA_ATTENTION_BF16, "probabilities as a first operand",
        "round_bf16_pair(right[0], right[1]), round_bf16_pair(right[2], right[3])",
        "round_bf16_pair(right[2], right[3]), round_bf16_pair(right[0], right[1])"),
    cuda(
        "cuda-quad", "kernels/cuda/device_ops.h", "a maximum over half of the lanes of a row",
        "return fmaxf(v, __shfl_xor_sync(kAllLanes, v, 2));",
        "return v;"),
    cuda(
        "cuda-shim-mma", "kernels/cuda/host_shim/warp.cpp", "the emulated layout itself",
        "a[g + i % 2 * 8][2 * t + e + i / 2 * 8]",
        "a[g + i / 2 * 8][2 * t + e + i % 2 * 8]"),
    # Barriers and copies under way.
    cuda(
        "cuda-barrier-bf16", CUDA_LINEAR_BF16, "no barrier between a step's arrival and its use",
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
        "cuda-barrier-divergent", CUDA_ATTENTION_BF16, "warps without queries leave before the barriers",
        "  uint32_t query[kPadded / 16][4] = {};",
        "  if (!asks) return;\n  uint32_t query[kPadded / 16][4] = {};"),
    cuda(
        "cuda-copies-wait", CUDA_LINEAR_BF16, "one group of copies too many may be under way",
        "copies_wait<kBf16Stages - 2>();",
        "copies_wait<kBf16Stages - 1>();"),
    # Swizzles.
    cuda(
        "cuda-swizzle-written", CUDA_LINEAR_BF16, "weights are written where they are not read",
        "copy_async<16>(to.w + w_word(strip, line, quad),",
        "copy_async<16>(to.w + strip * kStripWords + line * kLineWords + quad * 4,"),
    cuda(
        "cuda-swizzle-banks", CUDA_LINEAR_BF16, "rows of activations share banks",
        "(chunk ^ (row / 2 % kRowChunks))",
        "(chunk ^ (row / 4 % kRowChunks))"),
    # Bounds.
    cuda(
        "cuda-bound-row", CUDA_LINEAR_BF16, "the row behind the last is read",
        "const bool there = row0 + r < p.rows;",
        "const bool there = row0 + r <= p.rows;"),
    cuda(
        "cuda-bound-key", CUDA_ATTENTION_BF16, "the key behind the last counts",
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
        "cuda-fading", CUDA_ATTENTION_BF16, "sums of earlier keys are not scaled to a new maximum",
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
        "cuda-clear-column", "kernels/cuda/inputs.cu", "one column too many is cleared",
        "for (int64_t c = thread_x(); c < p.columns; c += kColumnThreads)\n    static_cast<uint16_t*>(p.y)",
        "for (int64_t c = thread_x(); c <= p.columns; c += kColumnThreads)\n    static_cast<uint16_t*>(p.y)"),
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
        "config_.head_dim() > kWidestDeviceHead ? DType::f32 : activations",
        "activations"),
    cuda(
        "cuda-copy-kept", "models/chinese_clip.cpp", "every session has a copy of the weights of its own",
        "if (copy.device == device) return copy.model;",
        "if (copy.device == device && false) return copy.model;"),
    cuda(
        "cuda-shape-longest", SESSION, "texts of other lengths pass for the same shape",
        "longest = std::max(longest, length);",
        "longest = 1;"),
    cuda(
        "cuda-record-first", "models/recorded_slices.h", "a slice that may never come again is recorded",
        "if (slice.times == 2)",
        "if (slice.times == 1)"),
    Mutation(
        "cuda-fork", "core/device.cpp", "a forked child uses its parent's device",
        "here != device.process",
        "here < 0", tests=("test_core",)),
]

READ_AHEAD = "cli/read_ahead.h"
SEARCH = "cli/search_index.cpp"
CLUSTERED = "cli/clustered_index.cpp"
CLUSTER_BUILD = "cli/cluster_build.cpp"

CLI = [
    Mutation(
        "read-ahead-order", READ_AHEAD, "an item that is ready passes one that is not",
        "if (source_.order == Order::kept && index != first_ + ready) break;",
        "if (source_.order == Order::kept && index < first_ + ready) break;", tests=("test_cli",)),
    Mutation(
        "read-ahead-bound", READ_AHEAD, "bytes that were taken still count as waiting",
        "waiting_bytes_ -= next->second.bytes;",
        "waiting_bytes_ -= next->second.bytes / 2;", tests=("test_cli",)),
    Mutation(
        "read-ahead-room", READ_AHEAD, "what waits is not bounded by its bytes",
        "waiting_bytes_ < source_.bytes_ahead && ",
        "", tests=("test_cli",)),
    Mutation(
        "read-ahead-error", READ_AHEAD, "an error is thrown before what comes first",
        "if (taken.empty()) std::rethrow_exception(next->second.error);",
        "std::rethrow_exception(next->second.error);", tests=("test_cli",)),
    # Index and search.
    Mutation(
        "index-hash-ignored", "cli/hashed_file.cpp", "the hash at the end of a file is not compared",
        "if (content_hash(content) != expected) {",
        "if (content.empty()) {", tests=("cli-search",)),
    Mutation(
        "index-moved-file", "cli/picture_reader.cpp", "pictures are not known by their content",
        "if (!picture.error.empty() || !claim(picture.seen.hash)) return picture;",
        "if (!picture.error.empty()) return picture;", tests=("cli-search",)),
    Mutation(
        "index-unsettled", "cli/picture_reader.cpp", "a file that has just been changed counts as settled",
        "if (now() - seen.modified < kSettledAfter) seen.modified = -1;",
        "", tests=("cli-search",)),
    Mutation(
        "index-journal-vectors", "cli/index_build.cpp", "vectors of an unfinished run are dropped",
        "        keep_vector(hash, vector);\n        changed_ = true;",
        "        changed_ = true;", tests=("cli-search",)),
    Mutation(
        "index-journal-hash", "cli/index_journal.cpp", "a damaged record of the journal is believed",
        " || content_hash(payload) != hash) return whole;",
        ") return whole;", tests=("cli-search",)),
    Mutation(
        "index-another-model", "cli/search.cpp", "vectors of different models are compared",
        "if (found == origin.model) return;",
        "if (found != ContentHash{}) return;", tests=("cli-search",)),
    Mutation(
        "search-ties", "cli/nearest.cpp", "equal scores come last first",
        "values[a] > values[b] : a < b;",
        "values[a] > values[b] : a > b;", tests=("cli-search", "test_cli")),
    Mutation(
        "search-ties-approximate", SEARCH, "equal scores come last first in approximate search",
        "a.place < b.place;",
        "a.place > b.place;", tests=("test_cli",)),
    Mutation(
        "search-probes", SEARCH, "one cluster is looked into, whatever was asked for",
        "looked_into++ >= probes",
        "looked_into++ >= std::min(probes, size_t{1})", tests=("test_cli",)),
    Mutation(
        "search-too-few", SEARCH, "clusters that hold fewer than were asked for suffice",
        " && candidates.size() / kCandidates >= top) break;",
        ") break;", tests=("test_cli",)),
    Mutation(
        "clusters-order", SEARCH, "clusters come in the order of products with their centres",
        "products_with_centres[c] * reach + std::sqrt(variance * 2 * std::log(members))",
        "static_cast<double>(products_with_centres[c]) + 0 * variance", tests=("test_cli",)),
    Mutation(
        "clusters-size", SEARCH, "how many vectors a cluster has does not count",
        "2 * std::log(members)",
        "2 * std::log(100.0)", tests=("test_cli",)),
    Mutation(
        "clusters-spread", SEARCH, "how far vectors are from their centre does not count",
        "std::max(0.0, 1 - reach * reach)",
        "1.0", tests=("test_cli",)),
    Mutation(
        "clusters-reach", CLUSTER_BUILD, "the mean of a cluster is taken for its centre",
        "static_cast<float>(sums[c] / members[c])",
        "1.0f", tests=("test_cli",)),
    Mutation(
        "clusters-kept", CLUSTER_BUILD, "a new vector gets its neighbour's cluster of the run before",
        "if (o < old.size() && old[o] == hashes[i]) known[i]",
        "if (o < old.size()) known[i]", tests=("test_cli",)),
    Mutation(
        "clusters-worn-out", CLUSTER_BUILD, "centres are kept however many vectors come",
        "vectors <= 2 * file.trained_on() && ",
        "", tests=("test_cli",)),
    Mutation(
        "clusters-binding-written", "cli/cluster_file.cpp", "clusters are bound to the model, not to the state of the index",
        "append_number(head, index.checksum());",
        "append_number(head, content.origin.model);", tests=("test_cli",)),
    Mutation(
        "clusters-binding-read", CLUSTERED, "clusters of another index of the same size are used",
        "bytes.size() != clusters_.index_bytes() || trailing_hash(kIndexKind, path, bytes) != clusters_.index_checksum()",
        "bytes.size() != clusters_.index_bytes()", tests=("test_cli",)),
    Mutation(
        "clusters-last-page-written", "cli/cluster_file.cpp", "the last page of the index has no hash",
        "for (size_t at = 0; at < index.bytes().size(); at += kIndexPage) {",
        "for (size_t at = 0; at + kIndexPage < index.bytes().size(); at += kIndexPage) {", tests=("test_cli",)),
    Mutation(
        "clusters-last-page-read", CLUSTERED, "the last page of what is read is not checked",
        "page * kIndexPage < end; ++page)",
        "(page + 1) * kIndexPage < end; ++page)", tests=("test_cli",)),
]

MUTATIONS = KERNELS + MODELS + CUDA + CLI
