"""The models: random configurations, weights and inputs; every output, in each form."""

import copy
import functools
import json
import pickle
import tempfile

import numpy as np
import torch
import transformers as reference

import tuwen

from .common import Closeness, Mismatch, Outcome, TooFar, both, close, family, maybe, pick, same

torch.set_num_threads(1)
torch.set_grad_enabled(False)
ACTIVATIONS = sorted(reference.activations.ACT2FN)
POOL = 16  # models of a kind that cases share


def text_config(rng, **fixed):
    heads, width = pick(rng, (1, 8), (2, 4), (3, 8), (4, 5))
    return {
        "vocab_size": int(rng.integers(5, 60)), "hidden_size": heads * width, "num_attention_heads": heads,
        "num_hidden_layers": int(rng.integers(1, 4)), "intermediate_size": int(rng.integers(3, 50)),
        "hidden_act": pick(rng, *ACTIVATIONS),
        "max_position_embeddings": int(rng.integers(16, 30)), "type_vocab_size": pick(rng, 2, 2, 1, 3),
        "layer_norm_eps": pick(rng, 1e-12, 1e-5),
        **fixed,
    }


def vision_config(rng, **fixed):
    heads, width = pick(rng, (1, 8), (2, 5), (3, 8))
    patch = int(rng.integers(1, 7))
    return {
        "hidden_size": heads * width, "num_attention_heads": heads, "num_hidden_layers": int(rng.integers(1, 4)),
        "intermediate_size": int(rng.integers(3, 50)), "hidden_act": pick(rng, *ACTIVATIONS), "patch_size": patch,
        "image_size": patch * int(rng.integers(1, 5)) + pick(rng, 0, 0, patch - 1), "layer_norm_eps": pick(rng, 1e-5, 1e-6), **fixed,
    }


def fill(model, seed):
    """Weights large enough for every part to matter."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim < 2:
            values = values * 0.2 + ("norm" in name.lower() and name.endswith("weight"))
        elif "embedding" not in name:
            values = values * 1.3 / parameter[0].numel() ** 0.5
        if name == "logit_scale":
            values = torch.tensor(1.5)
        parameter.copy_(values)


@functools.lru_cache(maxsize=None)
def models(kind, number):
    """The number-th pair of models of a kind, the same weights in both."""
    rng = np.random.default_rng([number, *kind.encode()])
    name, config, options = KINDS[kind](rng)
    torch.manual_seed(number)
    expected = getattr(reference, name)(config, **options).eval()
    fill(expected, number)
    with tempfile.TemporaryDirectory() as directory:
        expected.save_pretrained(directory)
        found = getattr(tuwen, name).from_pretrained(directory, threads=1, **options)
    return expected, found


def joint(rng, **text):
    config = reference.ChineseCLIPConfig(text_config=text_config(rng, **text), vision_config=vision_config(rng),
                                         projection_dim=int(rng.integers(1, 30)))
    return "ChineseCLIPModel", config, {}


def text_alone(rng, **fixed):
    options = {"add_pooling_layer": maybe(rng)}
    return "ChineseCLIPTextModel", reference.ChineseCLIPTextConfig(**text_config(rng, **fixed)), options


KINDS = {
    "joint": joint,
    "joint_decoder": lambda rng: joint(rng, is_decoder=True, use_cache=maybe(rng)),
    "joint_relative": lambda rng: joint(rng, position_embedding_type=pick(rng, "relative_key", "relative_key_query")),
    "text": text_alone,
    "relative": lambda rng: text_alone(rng, position_embedding_type=pick(rng, "relative_key", "relative_key_query")),
    "decoder": lambda rng: text_alone(
        rng, is_decoder=True, position_embedding_type=pick(rng, "absolute", "absolute", "relative_key", "relative_key_query")),
    "cross": lambda rng: text_alone(rng, is_decoder=True, add_cross_attention=True),
    "chunked": lambda rng: text_alone(rng, chunk_size_feed_forward=pick(rng, 1, 2, 3)),
    "vision": lambda rng: ("ChineseCLIPVisionModel", reference.ChineseCLIPVisionConfig(**vision_config(rng)), {}),
}


def pair_of(rng, kind):
    return models(kind, int(rng.integers(POOL)))


def text_config_of(model):
    return getattr(model.config, "text_config", model.config)


def masks(rng, batch, length, past=0):
    keys = length + past
    ends = rng.integers(1, keys + 1, batch)
    right = (np.arange(keys) < ends[:, None]).astype(np.int64)
    return pick(
        rng, right, right, right[:, ::-1].copy(), (rng.random((batch, keys)) < 0.7).astype(np.int64), np.zeros((batch, keys), np.int64),
        rng.random((batch, keys)).astype(np.float32), (rng.random((batch, length, keys)) < 0.7).astype(np.int64), right.astype(np.float32),
        right.astype(bool), np.ones((1, keys), np.int64), np.ones((batch, 1), np.int64))


def text_inputs(rng, config, past=0):
    batch, length = int(rng.integers(1, 4)), int(rng.integers(1, 9))
    given = {"input_ids": rng.integers(0, config.vocab_size, (batch, length))}
    if maybe(rng):
        given["attention_mask"] = masks(rng, batch, length, past)
    if maybe(rng, 0.4):
        given["token_type_ids"] = rng.integers(0, config.type_vocab_size, (pick(rng, batch, 1), length))
    if maybe(rng, 0.3):
        given["position_ids"] = rng.integers(0, config.max_position_embeddings, (pick(rng, batch, 1), length))
    return given


def switches(rng):
    given = {}
    for name in ("output_attentions", "output_hidden_states", "return_dict"):
        if maybe(rng):
            given[name] = maybe(rng)
    return given


def as_torch(given):
    return {key: torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value for key, value in given.items()}


def ours(rng, given, broken, name):
    """What tuwen gets: tensors or arrays. A broken case has other numbers in one of them."""
    mine = dict(given)
    if broken:
        value = np.array(mine[name])
        if value.dtype.kind == "f":
            mine[name] = np.cos(3 * value + 1).astype(value.dtype)
        else:
            mine[name] = value[::-1] if len(value) > 1 and (value[::-1] != value).any() else 0 * value
    return as_torch(mine) if maybe(rng) else mine


def run(rng, reference_call, tuwen_call, given, mine, what):
    result = both(lambda: reference_call(**as_torch(given)), lambda: tuwen_call(**mine), what)
    if result is None:
        return None
    expected, found = result
    uses_torch = any(isinstance(value, torch.Tensor) for value in mine.values())
    first = found if not hasattr(found, "to_tuple") and not isinstance(found, tuple) else found[0]
    if isinstance(first, torch.Tensor) != uses_torch:
        raise Mismatch(f"{what}: {type(first)} came back")
    try:
        close_in_each_form(expected, found, what)
    except TooFar:
        # Where rounding is magnified, the reference's own f32 may be the one that is off: its double decides.
        close_in_each_form(in_double(reference_call, given), found, f"{what} in double")
        Closeness.by_double += 1
    return expected, found


def close_in_each_form(expected, found, what):
    close(expected, found, what)
    if hasattr(expected, "to_tuple"):
        close(expected.to_tuple(), found.to_tuple(), f"{what}.to_tuple()")
        close([expected[i] for i in range(len(expected))][:1], [found[0]], f"{what}[0]")


def in_double(reference_call, given):
    module = copy.deepcopy(getattr(reference_call, "__self__", reference_call)).double()
    call = getattr(module, reference_call.__name__) if hasattr(reference_call, "__self__") else module
    return call(**widened(as_torch(given)))


def widened(value):
    if isinstance(value, dict):
        return {key: widened(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(widened(item) for item in value)
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def describe(model, given):
    shapes = {key: list(np.shape(value)) if np.ndim(value) else value for key, value in given.items()}
    return f"{type(model).__name__} {shapes}"


@family("model.text_features", 2)
def text_features(rng, broken):
    expected, found = pair_of(rng, "joint")
    given = text_inputs(rng, text_config_of(expected))
    mine = ours(rng, given, broken, "input_ids")
    run(rng, expected.get_text_features, found.get_text_features, given, mine, describe(expected, given))


@family("model.text_features_decoder", 0.5)
def text_features_decoder(rng, broken):
    expected, found = pair_of(rng, pick(rng, "joint_decoder", "joint_relative"))
    given = text_inputs(rng, text_config_of(expected))
    mine = ours(rng, given, broken, "input_ids")
    run(rng, expected.get_text_features, found.get_text_features, given, mine, describe(expected, given))


def pixels(rng, config, batch):
    size = config.image_size
    return rng.standard_normal((batch, config.num_channels, size, size)).astype(pick(rng, np.float32, np.float32, np.float64))


@family("model.image_features")
def image_features(rng, broken):
    expected, found = pair_of(rng, "joint")
    given = {"pixel_values": pixels(rng, expected.config.vision_config, int(rng.integers(1, 4)))}
    mine = ours(rng, given, broken, "pixel_values")
    given = {"pixel_values": given["pixel_values"].astype(np.float32)}
    run(rng, expected.get_image_features, found.get_image_features, given, mine, describe(expected, given))


@family("model.forward", 2)
def forward(rng, broken):
    expected, found = pair_of(rng, pick(rng, "joint", "joint", "joint", "joint_decoder", "joint_relative"))
    given = {**text_inputs(rng, text_config_of(expected)), **switches(rng)}
    batch = len(given["input_ids"]) if maybe(rng) else int(rng.integers(1, 4))
    given["pixel_values"] = pixels(rng, expected.config.vision_config, batch).astype(np.float32)
    if maybe(rng):
        given["return_loss"] = maybe(rng)
    mine = ours(rng, given, broken, "pixel_values")
    run(rng, expected, found, given, mine, describe(expected, given))


@family("text.forward", 2)
def text_forward(rng, broken):
    expected, found = pair_of(rng, pick(rng, "text", "text", "relative"))
    given = {**text_inputs(rng, expected.config), **switches(rng)}
    run(rng, expected, found, given, ours(rng, given, broken, "input_ids"), describe(expected, given))


@family("text.embeds")
def text_embeds(rng, broken):
    expected, found = pair_of(rng, pick(rng, "text", "relative", "decoder"))
    given = {**text_inputs(rng, expected.config), **switches(rng)}
    shape = given.pop("input_ids").shape
    given["inputs_embeds"] = rng.standard_normal((*shape, expected.config.hidden_size)).astype(np.float32)
    run(rng, expected, found, given, ours(rng, given, broken, "inputs_embeds"), describe(expected, given))


@family("text.head_mask")
def text_head_mask(rng, broken):
    expected, found = pair_of(rng, pick(rng, "text", "relative", "decoder", "cross"))
    given = {**text_inputs(rng, expected.config), **switches(rng)}
    heads, layers = expected.config.num_attention_heads, expected.config.num_hidden_layers
    shape = pick(rng, (heads,), (layers, heads))
    given["head_mask"] = pick(rng, (rng.random(shape) < 0.6).astype(np.float32), rng.random(shape).astype(np.float32))
    given.pop("output_attentions", None) if expected.config.add_cross_attention else None
    run(rng, expected, found, given, ours(rng, given, broken, "head_mask"), describe(expected, given))


@family("text.relative")
def text_relative(rng, broken):
    expected, found = pair_of(rng, "relative")
    given = {**text_inputs(rng, expected.config), "output_attentions": True, **switches(rng)}
    run(rng, expected, found, given, ours(rng, given, broken, "input_ids"), describe(expected, given))


@family("text.decoder")
def text_decoder(rng, broken):
    expected, found = pair_of(rng, "decoder")
    given = {**text_inputs(rng, expected.config), **switches(rng)}
    if maybe(rng):
        given["use_cache"] = maybe(rng)
    run(rng, expected, found, given, ours(rng, given, broken, "input_ids"), describe(expected, given))


@family("text.cache")
def text_cache(rng, broken):
    """One pass over all tokens, and then one with what the first left."""
    expected, found = pair_of(rng, "decoder")
    relative = expected.config.position_embedding_type != "absolute"
    first = text_inputs(rng, expected.config)
    first = {"input_ids": first["input_ids"]}
    result = run(rng, expected, found, first, ours(rng, first, False, "input_ids"), "first")
    past = first["input_ids"].shape[1]
    given = {**text_inputs(rng, expected.config, past), **switches(rng)}
    batch, length = len(first["input_ids"]), 1 if relative else given["input_ids"].shape[1]
    given["input_ids"] = rng.integers(0, expected.config.vocab_size, (batch, length))
    for name in ("token_type_ids", "position_ids"):
        given.pop(name, None)
    given.pop("attention_mask", None)
    if maybe(rng):
        given["attention_mask"] = masks(rng, batch, length, past)
    cached = {"past_key_values": result[0].past_key_values}
    mine = ours(rng, given, broken, "input_ids")
    mine_cached = {"past_key_values": result[1].past_key_values}
    outcome = both(lambda: expected(**as_torch(given), **cached), lambda: found(**mine, **mine_cached), describe(expected, given))
    if outcome is not None:
        close(*outcome, f"{describe(expected, given)} after {past}")


@family("text.cross")
def text_cross(rng, broken):
    expected, found = pair_of(rng, "cross")
    given = {**text_inputs(rng, expected.config), **switches(rng)}
    batch, encoder = len(given["input_ids"]), int(rng.integers(1, 7))
    given["encoder_hidden_states"] = rng.standard_normal((batch, encoder, expected.config.hidden_size)).astype(np.float32)
    if maybe(rng):
        given["encoder_attention_mask"] = (np.arange(encoder) < rng.integers(1, encoder + 1, batch)[:, None]).astype(np.int64)
    mine = ours(rng, given, broken, "encoder_hidden_states")
    result = run(rng, expected, found, given, mine, describe(expected, given))
    if result is None or given.get("return_dict") is False or result[0].past_key_values is None:
        return
    again = {"input_ids": rng.integers(0, expected.config.vocab_size, (batch, 1)), "encoder_hidden_states": given["encoder_hidden_states"]}
    outcome = both(lambda: expected(**as_torch(again), past_key_values=result[0].past_key_values),
                   lambda: found(**again, past_key_values=result[1].past_key_values), "again")
    if outcome is not None:
        close(*outcome, f"again {describe(expected, again)}")


@family("text.chunked", 0.5)
def text_chunked(rng, broken):
    expected, found = pair_of(rng, "chunked")
    given = {**text_inputs(rng, expected.config), **switches(rng)}
    run(rng, expected, found, given, ours(rng, given, broken, "input_ids"), describe(expected, given))


@family("text.prune", 0.5)
def text_prune(rng, broken):
    number = int(rng.integers(POOL))
    kind = pick(rng, "text", "relative", "decoder")
    expected, found = (pickle.loads(pickle.dumps(model)) for model in models(kind, number))
    heads = expected.config.num_attention_heads
    chosen = {}
    for layer in range(expected.config.num_hidden_layers):
        if maybe(rng) and heads > 1:
            chosen[layer] = [int(h) for h in rng.permutation(heads)[: int(rng.integers(1, heads))]]
    expected.prune_heads({k: list(v) for k, v in chosen.items()})
    if not (broken and chosen):
        found.prune_heads(chosen)
    given = {**text_inputs(rng, expected.config), **switches(rng)}
    run(rng, expected, found, given, ours(rng, given, broken and not chosen, "input_ids"), f"{chosen} {describe(expected, given)}")
    same({k: sorted(v) for k, v in expected.config.pruned_heads.items()}, found.config.pruned_heads, "config.pruned_heads")


@family("text.from_full", 0.3)
def text_from_full(rng, broken):
    """The towers out of a full checkpoint, which the reference has as parts of the full model."""
    expected, whole = pair_of(rng, "joint")
    with tempfile.TemporaryDirectory() as directory:
        (expected if maybe(rng) else whole).save_pretrained(directory)
        text = tuwen.ChineseCLIPTextModel.from_pretrained(directory, threads=1)
        vision = tuwen.ChineseCLIPVisionModel.from_pretrained(directory, threads=1)
    given = text_inputs(rng, text_config_of(expected))
    run(rng, expected.text_model, text, given, ours(rng, given, broken, "input_ids"), describe(text, given))
    given = {"pixel_values": pixels(rng, expected.config.vision_config, 2).astype(np.float32)}
    run(rng, expected.vision_model, vision, given, ours(rng, given, False, "pixel_values"), describe(vision, given))


@family("vision.forward")
def vision_forward(rng, broken):
    expected, found = pair_of(rng, "vision")
    given = {"pixel_values": pixels(rng, expected.config, int(rng.integers(1, 4))).astype(np.float32), **switches(rng)}
    run(rng, expected, found, given, ours(rng, given, broken, "pixel_values"), describe(expected, given))


@family("model.weights", 0.3)
def weights(rng, broken):
    """Names, shapes and numbers of state_dict(), and files that either package reads."""
    kind = pick(rng, *KINDS)
    expected, found = pair_of(rng, kind)
    theirs, mine = expected.state_dict(), found.state_dict()
    if broken:
        next(iter(mine.values())).add_(1)
    same({k: v.numpy() for k, v in theirs.items()}, {k: v.numpy() for k, v in mine.items()}, f"{kind}.state_dict()")
    with tempfile.TemporaryDirectory() as directory:
        found.save_pretrained(directory)
        options = {"add_pooling_layer": "pooler.dense.weight" in theirs} if "Text" in type(expected).__name__ else {}
        again = type(expected).from_pretrained(directory, **options)
        same({k: v.numpy() for k, v in theirs.items()}, {k: v.numpy() for k, v in again.state_dict().items()}, f"{kind} saved")
        with open(f"{directory}/config.json", encoding="utf-8") as file:
            same(type(expected).__name__, json.load(file)["architectures"][0], "architectures")


@family("model.random", 0.3)
def random_weights(rng, broken):
    """Names and shapes of a new model's weights, which are one, which zero, and how far the others spread."""
    kind = pick(rng, *KINDS)
    name, config, options = KINDS[kind](np.random.default_rng(int(rng.integers(1000))))
    torch.manual_seed(0)
    expected = getattr(reference, name)(config, **options).state_dict()
    own = getattr(tuwen, type(config).__name__)(**config.to_dict())
    made = getattr(tuwen, name)(own, seed=3, threads=1, **options)
    again = getattr(tuwen, name)(own, seed=4 if broken else 3, threads=1, **options).state_dict()
    found = made.state_dict()
    same({k: list(v.shape) for k, v in expected.items()}, {k: list(v.shape) for k, v in found.items()}, f"{kind} shapes")
    for key in expected:
        same(found[key].numpy(), again[key].numpy(), f"{key} of one seed")
        a, b = expected[key].double(), found[key].double()
        if a.numel() < 2 or float(a.std()) == 0:
            close(a.numpy(), b.numpy(), key)
        elif not 0.4 < float(b.std() / a.std()) < 2.5 and a.numel() > 60:
            raise Mismatch(f"{key}: spread {float(a.std()):.3g} and {float(b.std()):.3g}")


@family("model.config_switches", 0.5)
def config_switches(rng, broken):
    """output_* and return_dict taken from the configuration."""
    expected, found = pair_of(rng, pick(rng, "text", "vision", "joint"))
    chosen = {"output_attentions": maybe(rng), "output_hidden_states": maybe(rng), "return_dict": maybe(rng)}
    kind = type(expected).__name__
    given = {}
    if "Vision" not in kind:
        given.update(input_ids=rng.integers(0, text_config_of(expected).vocab_size, (2, 4)))
    if "Text" not in kind:
        given.update(pixel_values=pixels(rng, getattr(expected.config, "vision_config", expected.config), 2).astype(np.float32))
    try:
        for model in (expected, found):
            for key, value in chosen.items():
                setattr(model.config, key, value)
        if broken:
            found.config.output_hidden_states = not chosen["output_hidden_states"]
        run(rng, expected, found, given, ours(rng, given, False, ""), f"{chosen} {describe(expected, given)}")
    finally:
        for model in (expected, found):
            model.config.output_attentions = model.config.output_hidden_states = False
            model.config.return_dict = True


@family("model.errors", 0.5)
def errors(rng, broken):
    """Wrong arguments raise, with a type that fits the reference's."""
    expected, found = pair_of(rng, "text")
    config = expected.config
    ids = rng.integers(0, config.vocab_size, (2, 4))
    embeds = np.zeros((2, 4, config.hidden_size), np.float32)
    wrong = pick(
        rng, {}, {"input_ids": ids, "inputs_embeds": embeds}, {"input_ids": ids + config.vocab_size}, {"input_ids": -1 - ids},
        {"input_ids": ids, "token_type_ids": ids * 0 + config.type_vocab_size}, {"input_ids": ids, "position_ids": ids * 0 + 1000},
        {"input_ids": ids, "attention_mask": np.ones((2, 3), np.int64)}, 
        {"input_ids": ids, "attention_mask": np.ones((2, 1, 1, 4), np.int64)},
        {"input_ids": ids, "attention_mask": np.ones(4, np.int64)}, {"inputs_embeds": embeds[..., :-1]},
        {"input_ids": np.zeros((1, 200), np.int64)},
        {"input_ids": ids, "head_mask": np.ones(config.num_attention_heads + 1, np.float32)}, {"input_ids": ids.astype(np.float32)})
    mine = {"input_ids": ids} if broken else wrong
    first = Outcome(lambda: expected(**as_torch(wrong)))
    if first.error is None:
        raise Mismatch(f"{describe(expected, wrong)}: the reference accepts this")
    both(lambda: expected(**as_torch(wrong)), lambda: found(**mine), describe(expected, wrong))
