"""Of the models."""

from mutations.mutation import Mutation

ATTENTION_OPS = "kernels/ops_attention.cpp"
VIT = "models/vit.cpp"
BERT = "models/bert.cpp"
WEIGHTS = "models/weights.cpp"
JOINT = "models/chinese_clip.cpp"
SESSION = "models/session.cpp"


def model(name, file, breaks, old, new):
    return Mutation(name, file, breaks, old, new, ("test_models",))


MODELS = [
    model(
        "absorb-observed", "kernels/ops.h", "calibration sees first tokens alone go into the last block's keys and values",
        "ex.device == nullptr && ex.observer == nullptr &&",
        "ex.device == nullptr &&"),
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
        "linear(ex, wanted, h, b.fc2.of_items(rows_each), Epilogue::add_to_output);",
        "linear(ex, wanted, h, b.fc2.of_items(rows_each));"),
    model(
        "vit-norm-reused", VIT, "the first LayerNorm where the second belongs",
        "layer_norm(ex, inner, inner, wanted, b.norm2, &b.fc1);",
        "layer_norm(ex, inner, inner, wanted, b.norm1, &b.fc1);"),
    model(
        "vit-no-activation", VIT, "the activation of the MLP",
        "linear(ex, h, inner, b.fc1.of_items(rows_each), activation_);",
        "linear(ex, h, inner, b.fc1.of_items(rows_each));"),
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
    Mutation(
        "int8-patch-room", "models/session_plan.cpp", "bytes of patches have the room of other inputs",
        "if (int8 && model.vision() != nullptr)",
        "if (fp8 && model.vision() != nullptr)", ("test_models",)),
]
