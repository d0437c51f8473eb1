#!/usr/bin/env python3
"""Runs random models of random configurations through libtuwen.so and through transformers 4.37.2, with random inputs and
options, and compares every output.

    scripts/check_surface.py [--cases N] [--seed S] [--family NAME...] [--library build/release/libtuwen.so]
    scripts/check_surface.py --broken      gives tuwen one changed input a case, and expects every family to notice

Needs transformers 4.37.2 (later versions lack relative positions and decoders), torch and numpy.

An output may differ by 2e-5 (1 + |reference|) in f32. Weights are as large as trained ones', so that attention is neither even
nor one-hot, with a loud channel in the norms. A case is a function of the seed and its number: --first N runs one again.
Exit status 1 when anything differs.
"""

import argparse
import copy
import json
import pathlib
import sys

import numpy as np
import torch
import transformers
from transformers import (ChineseCLIPConfig, ChineseCLIPModel, ChineseCLIPTextConfig, ChineseCLIPTextModel,
                          ChineseCLIPVisionConfig, ChineseCLIPVisionModel)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import surface_library as tuwen  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 2e-5
ACTIVATIONS = ["gelu", "gelu_new", "quick_gelu", "relu", "silu", "tanh", "gelu_fast", "relu6", "mish", "leaky_relu"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300, help="of each family")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", nargs="*", choices=sorted(FAMILIES), default=sorted(FAMILIES))
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--library", default=str(ROOT / "build/release/libtuwen.so"))
    arguments = parser.parse_args()
    if transformers.__version__ != "4.37.2":
        sys.exit(f"check_surface.py: needs transformers 4.37.2, found {transformers.__version__}")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.utils.logging.set_verbosity_error()
    library = tuwen.Library(arguments.library)
    failed = 0
    for family in arguments.family:
        worst, noticed = 0.0, 0
        for number in range(arguments.first, arguments.first + arguments.cases):
            seed = [arguments.seed, sorted(FAMILIES).index(family), number]
            case = Case(np.random.default_rng(seed), broken=arguments.broken)
            try:
                FAMILIES[family](case, library)
                difference = case.worst
                what = case.worst_name
            except tuwen.Error as error:
                difference, what = float("inf"), str(error)
            worst = max(worst, difference)
            noticed += difference > 1
            if not arguments.broken and not difference <= 1:
                failed += 1
                print(f"{family} case {number}: {difference:.3g} of what is permitted: {what}\n    {case.text()}", flush=True)
                if failed > 20:
                    sys.exit(1)
        if arguments.broken:
            print(f"{family}: {noticed} of {arguments.cases} changed cases noticed", flush=True)
            failed += noticed == 0
        else:
            print(f"{family}: {arguments.cases} cases, worst {worst:.3f} of what is permitted", flush=True)
    sys.exit(1 if failed else 0)


class Case:
    """One case: its random choices, and the largest difference so far as a share of what is permitted."""

    def __init__(self, random, broken):
        self.random, self.broken = random, broken
        self.worst, self.worst_name, self.notes = 0.0, "", []

    def text(self):
        return " ".join(self.notes)

    def chance(self, p):
        return self.random.random() < p

    def pick(self, *values):
        return values[self.random.integers(len(values))]

    def integer(self, low, high):
        return int(self.random.integers(low, high + 1))

    def normal(self, *shape):
        return torch.from_numpy(self.random.standard_normal(shape, dtype=np.float32))

    def note(self, **values):
        self.notes += [f"{k}={v}" for k, v in values.items()]

    def compare(self, name, got, expected):
        expected = expected.detach().numpy()
        if got.shape != expected.shape:
            self.worst, self.worst_name = float("inf"), f"{name}: shape {got.shape}, expected {expected.shape}"
            return
        same = (np.isnan(got) & np.isnan(expected)) | (got == expected)
        error = np.where(same, 0, np.abs(got - expected) / (LIMIT * (1 + np.abs(expected))))
        largest = float(np.nan_to_num(error, nan=np.inf, posinf=np.inf).max(initial=0))
        if largest > self.worst:
            self.worst, self.worst_name = largest, name


    def settle(self, got, exact, moved):
        """After a difference: how far the truth moves when weights move by half a unit in the last place is permitted too, four
        times over. That is large where a row hardly varies before its norm."""
        self.note(in_double=True)
        self.worst = 0.0
        for name, value in exact.items():
            value = value.detach().numpy()
            scale = LIMIT * (1 + np.abs(value))
            far = [np.nan_to_num(np.abs(a - value) / scale).max(initial=0) for a in (got[name], *(m[name].numpy() for m in moved))]
            share = float(far[0] / max(1, 4 * max(far[1:])))
            if share > self.worst:
                self.worst, self.worst_name = share, f"{name} (to the reference in double)"


def fill(model, case):
    for name, parameter in model.named_parameters():
        noise = case.normal(*parameter.shape)
        if name == "logit_scale":
            value = torch.tensor(2.6592)
        elif ("LayerNorm" in name or "norm" in name) and name.endswith("weight"):
            value = 1 + 0.3 * noise
            value[0] *= 3
        elif name.endswith("bias"):
            value = 0.3 * noise
        elif "embedding" in name and "patch" not in name:
            value = 0.6 * noise
        else:
            value = noise / parameter[0].numel() ** 0.5
        parameter.copy_(value)
    return model.eval()


# --- configurations -----------------------------------------------------------------------------------------------------


def text_config(case, **fixed):
    heads, d = case.integer(1, 4), case.pick(2, 3, 8, 11, 16)
    heads = max(heads, -(-8 // d))
    config = dict(vocab_size=case.integer(8, 60), hidden_size=heads * d, num_attention_heads=heads,
                  num_hidden_layers=case.integer(1, 3), intermediate_size=case.integer(1, 50),
                  hidden_act=case.pick(*ACTIVATIONS), max_position_embeddings=case.integer(4, 24),
                  type_vocab_size=case.integer(1, 3), layer_norm_eps=case.pick(1e-12, 1e-5, 1e-3), pad_token_id=0)
    config.update(fixed)
    case.note(**{k: config[k] for k in ("hidden_size", "num_attention_heads", "num_hidden_layers", "max_position_embeddings")})
    return ChineseCLIPTextConfig(**config)


def vision_config(case):
    heads, d = case.integer(1, 3), case.pick(4, 8, 11, 16)
    heads = max(heads, -(-8 // d))
    patch = case.integer(1, 6)
    config = dict(hidden_size=heads * d, num_attention_heads=heads, num_hidden_layers=case.integer(1, 3),
                  intermediate_size=case.integer(1, 50), hidden_act=case.pick(*ACTIVATIONS), patch_size=patch,
                  image_size=patch * case.integer(1, 4) + case.integer(0, patch - 1), num_channels=case.pick(3, 3, 1, 4),
                  layer_norm_eps=case.pick(1e-5, 1e-3))
    case.note(**config)
    return ChineseCLIPVisionConfig(**config)


# --- inputs ---------------------------------------------------------------------------------------------------------------


def text_inputs(case, config, past=0, batch=None):
    """Arguments of ChineseCLIPTextModel.forward that any kind of model takes."""
    b = batch or case.integer(1, 4)
    length = case.integer(1, config.max_position_embeddings - past)
    if config.chunk_size_feed_forward:
        length = max(1, length // config.chunk_size_feed_forward) * config.chunk_size_feed_forward
        if length > config.max_position_embeddings - past:
            length = config.chunk_size_feed_forward
    keys = past + length
    inputs = {}
    ids = torch.from_numpy(case.random.integers(0, config.vocab_size, (b, length)))
    if case.chance(0.25):
        inputs["inputs_embeds"] = case.normal(b, length, config.hidden_size)
    else:
        inputs["input_ids"] = ids
    if case.chance(0.5):
        rows = case.pick(1, b)
        inputs["token_type_ids"] = torch.from_numpy(case.random.integers(0, config.type_vocab_size, (rows, length)))
    if case.chance(0.4):
        rows = case.pick(1, b)
        inputs["position_ids"] = torch.from_numpy(case.random.integers(0, config.max_position_embeddings, (rows, length)))
    mask = random_mask(case, b, length, keys, one_column=not config.is_decoder or past == 0 or length == 1)
    if mask is not None:
        inputs["attention_mask"] = mask
    case.note(B=b, L=length, P=past, mask=None if mask is None else tuple(mask.shape))
    return inputs


def random_mask(case, b, length, keys, one_column=True):
    kind = case.pick("none", "prefix", "binary", "zero", "weights", "square", "square weights", "wide", "beyond")
    rows = case.pick(b, b, 1)
    columns = case.pick(keys, keys, keys, 1) if one_column else keys
    if kind == "none":
        return None
    if kind == "prefix":
        lengths = case.random.integers(1, keys + 1, (rows, 1))
        return torch.from_numpy((np.arange(keys)[None] < lengths).astype(np.int64))
    if kind == "binary":
        return torch.from_numpy(case.random.integers(0, 2, (rows, columns)))
    if kind == "zero":
        mask = case.random.integers(0, 2, (rows, columns))
        mask[case.integer(0, rows - 1)] = 0
        return torch.from_numpy(mask)
    if kind == "weights":  # so close to 1 that the key keeps a part
        return 1 - torch.from_numpy(case.random.random((rows, columns), dtype=np.float32)) * 1e-38
    if kind == "beyond":
        return torch.from_numpy(case.random.choice(np.float32([0, 1, 2, -0.5]), (rows, columns)))
    queries = case.pick(length, length, 1)
    if kind == "square":
        return torch.from_numpy(case.random.integers(0, 2, (rows, queries, columns))).float()
    if kind == "wide":
        return torch.from_numpy(case.random.choice(np.float32([0, 0.3, 1]), (rows, queries, columns)))
    return 1 - torch.from_numpy(case.random.random((rows, queries, columns), dtype=np.float32)) * 1e-38


def add_head_mask(case, config, inputs):
    if case.chance(0.4):
        shape = (config.num_attention_heads,)
        if case.chance(0.5):
            shape = (config.num_hidden_layers, *shape)
        inputs["head_mask"] = torch.from_numpy(case.random.choice(np.float32([0, 1, 0.5, 2]), shape))


# --- comparing --------------------------------------------------------------------------------------------------------------


def named(output, cross):
    """The reference's output object under tuwen's names."""
    result = {"last_hidden_state": output.last_hidden_state}
    if output.pooler_output is not None:
        result["pooler_output"] = output.pooler_output
    for field in ("hidden_states", "attentions"):
        for i, value in enumerate(getattr(output, field) or ()):
            result[f"{field}.{i}"] = value
    if cross:
        for i, value in enumerate(getattr(output, "cross_attentions", None) or ()):
            result[f"cross_attentions.{i}"] = value
    for i, layer in enumerate(getattr(output, "past_key_values", None) or ()):
        for name, value in zip(("key", "value", "cross_key", "cross_value"), layer):
            result[f"past.{i}.{name}"] = value
    return result


def compare_all(case, got, expected):
    if sorted(got) != sorted(expected):
        case.worst, case.worst_name = float("inf"), f"outputs {sorted(got)}, expected {sorted(expected)}"
        return
    for name, value in expected.items():
        case.compare(name, got[name], value)


def changed(case, inputs):
    """One input made another, for --broken; what is left out counts as changed too."""
    if not case.broken:
        return inputs
    name = case.pick(*[n for n in inputs if n not in ("input_ids", "inputs_embeds")] or list(inputs))
    case.note(broken=name)
    result = dict(inputs)
    if name in ("input_ids", "pixel_values", "inputs_embeds"):
        result[name] = inputs[name].flip(-1) if inputs[name].is_floating_point() else torch.zeros_like(inputs[name])
    else:
        del result[name]
    return result


def run_text(case, library, model, session, inputs, cross=False, **options):
    expected = named(model(**inputs, output_hidden_states=True, output_attentions=True, **options), cross)
    wanted = tuwen.LAST | tuwen.POOLER | tuwen.HIDDEN | tuwen.ATTENTIONS | (tuwen.CACHE if "past.0.key" in expected else 0)
    got = library.text_forward(session, wanted, **changed(case, inputs))
    if case.broken and sorted(got) != sorted(expected):
        case.worst = float("inf")
        return expected
    compare_all(case, got, expected)
    if 1 < case.worst < 100:  # whose rounding is it?
        double = lambda v: v.double() if torch.is_tensor(v) and v.is_floating_point() else v  # noqa: E731
        exact_inputs = {k: tuple(tuple(map(double, layer)) for layer in v) if k == "past_key_values" else double(v)
                        for k, v in inputs.items()}
        exact = None
        moved = []
        for _ in range(4):
            shaken = copy.deepcopy(model).double()
            if exact is not None:
                for parameter in shaken.parameters():
                    parameter.mul_(1 + 2**-24 * torch.from_numpy(case.random.choice([-1.0, 1.0], tuple(parameter.shape))))
            output = named(shaken(**exact_inputs, output_hidden_states=True, output_attentions=True, **options), cross)
            if exact is None:
                exact = output
            else:
                moved.append(output)
        case.settle(got, exact, moved)
    return expected


def load(case, library, model, prefix_config=None):
    config = (prefix_config or model.config).to_dict()
    state = {k: v.detach().numpy() for k, v in model.state_dict().items()}
    return library.session(json.dumps(config), state, threads=case.pick(1, 2), max_rows=case.pick(0, 5, 17),
                           isa=case.pick(None, None, "reference", "avx2"))


# --- families -----------------------------------------------------------------------------------------------------------------


def encoder(case, library, **fixed):
    config = text_config(case, **fixed)
    model = fill(ChineseCLIPTextModel(config, add_pooling_layer=case.chance(0.7)), case)
    inputs = text_inputs(case, config)
    add_head_mask(case, config, inputs)
    run_text(case, library, model, load(case, library, model), inputs)


def relative(case, library):
    encoder(case, library, position_embedding_type=case.pick("relative_key", "relative_key_query"))


def chunked(case, library):
    encoder(case, library, chunk_size_feed_forward=case.integer(1, 3))


def pruned(case, library):
    config = text_config(case, num_attention_heads=4, hidden_size=4 * case.pick(2, 5, 16),
                         position_embedding_type=case.pick("absolute", "relative_key"))
    model = fill(ChineseCLIPTextModel(config), case)
    first = {i: [int(h) for h in case.random.choice(4, case.integer(1, 3), replace=False)]
             for i in range(config.num_hidden_layers) if case.chance(0.7)}
    second = {i: [h for h in range(4) if h not in first.get(i, [])][:case.integer(0, 1)] if len(first.get(i, [])) < 3 else []
              for i in range(config.num_hidden_layers)}
    checkpoint = library.checkpoint(json.dumps(config.to_dict()),
                                    {k: v.detach().numpy().copy() for k, v in model.state_dict().items()})
    for heads in (first, second):
        model.prune_heads(heads)
        checkpoint = library.prune(checkpoint, heads)
    case.note(first=first, second=second)
    inputs = text_inputs(case, config)
    run_text(case, library, model, library.session_of(checkpoint, threads=2), inputs)


def decoder(case, library, cross=False):
    config = text_config(case, is_decoder=True, add_cross_attention=cross,
                         position_embedding_type=case.pick("absolute", "absolute", "relative_key", "relative_key_query"))
    model = fill(ChineseCLIPTextModel(config, add_pooling_layer=case.chance(0.7)), case)
    session = load(case, library, model)
    inputs = text_inputs(case, config)
    add_head_mask(case, config, inputs)
    b = (inputs["input_ids"] if "input_ids" in inputs else inputs["inputs_embeds"]).shape[0]
    encoder_inputs = {}
    if cross:
        length = case.integer(1, 9)
        encoder_inputs["encoder_hidden_states"] = case.normal(b, length, config.hidden_size)
        queries = (inputs["input_ids"] if "input_ids" in inputs else inputs["inputs_embeds"]).shape[1]
        mask = random_mask(case, b, queries, length)
        if mask is not None:
            encoder_inputs["encoder_attention_mask"] = mask
    use_cache = case.chance(0.7)
    expected = run_text(case, library, model, session, {**inputs, **encoder_inputs}, cross, use_cache=use_cache)
    past = next((expected[n].shape[2] for n in expected if n == "past.0.key"), 0)
    if not use_cache or past >= config.max_position_embeddings or case.broken:
        return
    names = ("key", "value", "cross_key", "cross_value")[:4 if cross else 2]
    cache = tuple(tuple(expected[f"past.{i}.{n}"] for n in names) for i in range(config.num_hidden_layers))
    more = text_inputs(case, config, past=past, batch=b)
    add_head_mask(case, config, more)
    if cross:
        more["encoder_hidden_states"] = encoder_inputs["encoder_hidden_states"]
        if "encoder_attention_mask" in encoder_inputs and encoder_inputs["encoder_attention_mask"].dim() == 2:
            more["encoder_attention_mask"] = encoder_inputs["encoder_attention_mask"]
    more["past_key_values"] = cache
    run_text(case, library, model, session, more, cross, use_cache=case.chance(0.5))


def cross_attention(case, library):
    decoder(case, library, cross=True)


def joint_model(case):
    text = text_config(case, position_embedding_type=case.pick("absolute", "absolute", "relative_key"),
                       is_decoder=case.chance(0.2))
    config = ChineseCLIPConfig.from_text_vision_configs(text, vision_config(case), projection_dim=case.integer(1, 40))
    return config, fill(ChineseCLIPModel(config), case)


def embeddings(case, library):
    config, model = joint_model(case)
    session = load(case, library, model)
    inputs = text_inputs(case, config.text_config)
    if "inputs_embeds" in inputs:
        b, length = inputs.pop("inputs_embeds").shape[:2]
        inputs["input_ids"] = torch.from_numpy(case.random.integers(0, config.text_config.vocab_size, (b, length)))
    expected = model.get_text_features(**inputs)
    got = library.text_forward(session, tuwen.FEATURES, **changed(case, inputs))
    case.compare("features", got["features"], expected)
    both = library.text_forward(session, tuwen.FEATURES | tuwen.EMBEDS, **changed(case, inputs))
    case.compare("features of the full driver", both["features"], expected)
    case.compare("embeds", both["embeds"], expected / expected.norm(dim=-1, keepdim=True))
    v = config.vision_config
    pixels = case.normal(case.integer(1, 3), v.num_channels, v.image_size, v.image_size)
    expected = model.get_image_features(pixels)
    got = library.vision_forward(session, tuwen.FEATURES | tuwen.EMBEDS, **changed(case, {"pixel_values": pixels}))
    case.compare("image features", got["features"], expected)
    case.compare("image embeds", got["embeds"], expected / expected.norm(dim=-1, keepdim=True))


def vision(case, library):
    config = vision_config(case)
    model = fill(ChineseCLIPVisionModel(config), case)
    session = load(case, library, model)
    pixels = case.normal(case.integer(1, 4), config.num_channels, config.image_size, config.image_size)
    expected = named(model(pixels, output_hidden_states=True, output_attentions=True), False)
    got = library.vision_forward(session, tuwen.LAST | tuwen.POOLER | tuwen.HIDDEN | tuwen.ATTENTIONS,
                                 **changed(case, {"pixel_values": pixels}))
    compare_all(case, got, expected)


def other_sizes(case, library):
    """Pictures of another size: the reference gets the table that later versions make of its own."""
    config = vision_config(case)
    model = fill(ChineseCLIPVisionModel(config), case)
    session = load(case, library, model)
    p, n = config.patch_size, config.image_size // config.patch_size
    height, width = p * case.integer(1, 6) + case.integer(0, p - 1), p * case.integer(1, 6) + case.integer(0, p - 1)
    case.note(height=height, width=width)
    pixels = case.normal(case.integer(1, 3), config.num_channels, height, width)
    embeddings = model.vision_model.embeddings
    table = embeddings.position_embedding.weight
    grid = table[1:].reshape(1, n, n, -1).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=(height // p, width // p), mode="bicubic", align_corners=False)
    rows = torch.cat([table[:1], grid.permute(0, 2, 3, 1).reshape(-1, table.shape[1])])
    embeddings.position_embedding = torch.nn.Embedding.from_pretrained(rows)
    embeddings.position_ids = torch.arange(len(rows))[None]
    expected = named(model(pixels, output_hidden_states=True, output_attentions=True), False)
    got = library.vision_forward(session, tuwen.LAST | tuwen.POOLER | tuwen.HIDDEN | tuwen.ATTENTIONS, interpolate=True,
                                 **changed(case, {"pixel_values": pixels}))
    compare_all(case, got, expected)


def tower_of_full(case, library):
    config, model = joint_model(case)
    checkpoint = library.checkpoint(json.dumps(config.to_dict()),
                                    {k: v.detach().numpy() for k, v in model.state_dict().items()})
    session = library.session_of(library.tower(checkpoint, 1))
    inputs = text_inputs(case, config.text_config)
    add_head_mask(case, config.text_config, inputs)
    run_text(case, library, model.text_model, session, inputs)


FAMILIES = {f.__name__: f for f in (encoder, relative, chunked, pruned, decoder, cross_attention, embeddings, vision,
                                    other_sizes, tower_of_full)}

if __name__ == "__main__":
    main()
