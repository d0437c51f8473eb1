#!/usr/bin/env python3
"""Writes a Chinese-CLIP model directory with true dimensions and seeded random weights.

    make_checkpoint.py --preset vit-base-patch16 --seed 0 DIR

The directory has all that a published one has (config.json, preprocessor_config.json, vocab.txt, tokenizer files, weights in
safetensors) and loads in transformers as well. Needs numpy (1.24 and 1.26 tried). The same preset,
seed and numpy give the same weights in any dtype (before rounding) and any number of shards. Weights are made and written one
tensor at a time.

The numbers are random but behave like those of a trained model, which matters for reduced precision and for comparing engines:
the residual streams keep an rms around 1, a few channels are 20 to 60 times as large as the others, rows of the weights differ
in scale, and attention is neither uniform nor on one token. The embeddings mean nothing.
"""
import argparse
import dataclasses
import json
import math
import os
import re
import struct
import sys
import zlib

import numpy as np

from project_vocab import build_vocab


@dataclasses.dataclass(frozen=True)
class Tower:
    width: int
    layers: int
    heads: int

    @property
    def mlp(self) -> int:
        return 4 * self.width


@dataclasses.dataclass(frozen=True)
class Preset:
    vision: Tower
    text: Tower
    image: int
    patch: int
    projection: int
    vocab: int = 21128
    positions: int = 512


PRESETS = {
    "vit-base-patch16": Preset(Tower(768, 12, 12), Tower(768, 12, 12), 224, 16, 512),
    "vit-large-patch14": Preset(Tower(1024, 24, 16), Tower(768, 12, 12), 224, 14, 768),
    "vit-large-patch14-336px": Preset(Tower(1024, 24, 16), Tower(768, 12, 12), 336, 14, 768),
    "vit-huge-patch14": Preset(Tower(1280, 32, 16), Tower(1024, 24, 16), 224, 14, 1024),
    "tiny": Preset(Tower(64, 3, 4), Tower(64, 3, 4), 32, 8, 32, vocab=8192, positions=64),
}

# --- weights ----------------------------------------------------------------------------------------------------------------

TYPICAL = 0.5  # rms of an ordinary channel of the residual stream after its first LayerNorm


class Weights:
    """The tensors of one model: a list of (name, shape, make), where make() returns float32 values."""

    def __init__(self, preset: Preset, seed: int):
        self.seed = seed
        self.tensors = []
        self.text_outliers = self.outliers("text", preset.text.width)
        self.vision_outliers = self.outliers("vision", preset.vision.width)
        self.add_text(preset)
        self.add_vision(preset)
        for name, width, outliers in (("text", preset.text.width, self.text_outliers),
                                      ("visual", preset.vision.width, self.vision_outliers)):
            self.linear(f"{name}_projection", preset.projection, width, 1 / (TYPICAL * math.sqrt(width)), outliers, bias=None)
        self.add("logit_scale", (), lambda rng: np.float32(4.6052))

    def random(self, name: str) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self.seed, zlib.crc32(name.encode())]))

    def outliers(self, name: str, width: int) -> dict[int, float]:
        """Channels that are large at every token, with their mean values."""
        rng = self.random(f"{name} outliers")
        channels = rng.choice(width, size=max(1, width // 192), replace=False)
        return {int(c): float(rng.choice([-1, 1]) * rng.uniform(20, 60) * TYPICAL) for c in channels}

    def add(self, name, shape, make):
        self.tensors.append((name, shape, lambda: np.asarray(make(self.random(name)), np.float32)))

    def normal(self, name, shape, std, mean=0.0):
        self.add(name, shape, lambda rng: rng.standard_normal(shape, np.float32) * np.float32(std) + np.float32(mean))

    def linear(self, name, out, width, std, outliers, bias=0.02):
        """Rows of different scale; little weight on the outlier channels of the input, as training leaves it."""

        def make(rng):
            w = rng.standard_normal((out, width), np.float32)
            w *= np.float32(std) * np.exp(rng.standard_normal((out, 1), np.float32) * np.float32(0.2))
            for channel in outliers:
                w[:, channel] *= np.float32(0.05)
            return w

        self.add(f"{name}.weight", (out, width), make)
        if bias is not None:
            self.normal(f"{name}.bias", (out,), bias)

    def layer_norm(self, name, width, gain, rms, outliers):
        """`gain` brings an ordinary channel to `rms`. `outliers`: channel -> (its value when normalised, its value wanted)."""
        slope = 0.1  # of the outlier channels: they vary little from token to token

        def weight(rng):
            g = np.abs(rng.standard_normal(width, np.float32) * np.float32(0.15) + 1) * np.float32(gain)
            for channel in outliers:
                g[channel] = slope
            return g

        def bias(rng):
            b = rng.standard_normal(width, np.float32) * np.float32(0.1 * rms)
            for channel, (before, after) in outliers.items():
                b[channel] = after - slope * before
            return b

        self.add(f"{name}.weight", (width,), weight)
        self.add(f"{name}.bias", (width,), bias)

    def add_text(self, preset: Preset):
        """Post-norm: each LayerNorm sets the scale of the stream anew, and with it the outliers."""
        t, large = preset.text, self.text_outliers
        e = "text_model.embeddings"
        self.normal(f"{e}.word_embeddings.weight", (preset.vocab, t.width), 0.05)
        self.normal(f"{e}.position_embeddings.weight", (preset.positions, t.width), 0.015)
        self.normal(f"{e}.token_type_embeddings.weight", (2, t.width), 0.01)
        self.layer_norm(f"{e}.LayerNorm", t.width, TYPICAL, TYPICAL, {c: (0.0, v) for c, v in large.items()})
        to_unit = 1 / (TYPICAL * math.sqrt(t.width))  # std of a weight that makes values of rms 1 from the stream
        outlier_power = sum(v * v for v in large.values()) / t.width

        def norm(name, update):
            ordinary = TYPICAL**2 + update**2
            row = math.sqrt(ordinary + outlier_power)
            self.layer_norm(name, t.width, TYPICAL * row / math.sqrt(ordinary), TYPICAL,
                            {c: (v / row, v) for c, v in large.items()})

        # Attention adds what the tokens have in common; much more of it, and in the last layers they would be all alike.
        depth = min(1.0, math.sqrt(12 / t.layers))
        attended, computed = 0.4 * depth * TYPICAL, 0.5 * depth * TYPICAL
        for i in range(t.layers):
            layer = f"text_model.encoder.layer.{i}"
            sharpness = 1.25 * (1 + 0.4 * i / t.layers)  # of attention: the tokens grow alike with depth
            for name in ("query", "key"):
                self.linear(f"{layer}.attention.self.{name}", t.width, t.width, sharpness * to_unit, large)
            self.linear(f"{layer}.attention.self.value", t.width, t.width, to_unit, large)
            self.linear(f"{layer}.attention.output.dense", t.width, t.width, attended / (0.7 * math.sqrt(t.width)), {})
            norm(f"{layer}.attention.output.LayerNorm", attended)
            self.linear(f"{layer}.intermediate.dense", t.mlp, t.width, to_unit, large)
            self.linear(f"{layer}.output.dense", t.width, t.mlp, computed / (0.65 * math.sqrt(t.mlp)), {})
            norm(f"{layer}.output.LayerNorm", computed)

    def add_vision(self, preset: Preset):
        """Pre-norm: the stream grows with depth, and the outliers put into it at the start stay."""
        v, large = preset.vision, self.vision_outliers
        e = "vision_model.embeddings"
        patch = (v.width, 3, preset.patch, preset.patch)
        self.normal(f"{e}.class_embedding", (v.width,), 0.3)
        self.normal(f"{e}.patch_embedding.weight", patch, 0.3 / math.sqrt(3 * preset.patch**2))
        self.normal(f"{e}.position_embedding.weight", ((preset.image // preset.patch) ** 2 + 1, v.width), 0.2)
        self.layer_norm("vision_model.pre_layrnorm", v.width, TYPICAL, TYPICAL, {c: (0.0, m) for c, m in large.items()})
        to_unit = 1 / math.sqrt(v.width)
        outlier_power = sum(m * m for m in large.values()) / v.width
        stream = TYPICAL  # rms of an ordinary channel

        def norm(name):
            row = math.sqrt(stream**2 + outlier_power)
            self.layer_norm(name, v.width, row / stream, 1.0, {c: (m / row, math.copysign(2.0, m)) for c, m in large.items()})

        depth = min(1.0, math.sqrt(12 / v.layers))
        attended, computed = 0.3 * depth * TYPICAL, 0.3 * depth * TYPICAL
        for i in range(v.layers):
            layer = f"vision_model.encoder.layers.{i}"
            norm(f"{layer}.layer_norm1")
            for name in ("q_proj", "k_proj"):
                self.linear(f"{layer}.self_attn.{name}", v.width, v.width, 1.25 * to_unit, large)
            self.linear(f"{layer}.self_attn.v_proj", v.width, v.width, to_unit, large)
            self.linear(f"{layer}.self_attn.out_proj", v.width, v.width, attended / (0.8 * math.sqrt(v.width)), {})
            stream = math.hypot(stream, attended)
            norm(f"{layer}.layer_norm2")
            self.linear(f"{layer}.mlp.fc1", v.mlp, v.width, to_unit, large)
            self.linear(f"{layer}.mlp.fc2", v.width, v.mlp, computed / (0.65 * math.sqrt(v.mlp)), {})
            stream = math.hypot(stream, computed)
        norm("vision_model.post_layernorm")


# --- safetensors ------------------------------------------------------------------------------------------------------------

DTYPES = {"float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2)}


def encode(values: np.ndarray, dtype: str) -> bytes:
    values = np.ascontiguousarray(values, "<f4")
    if dtype == "float16":
        return values.astype("<f2").tobytes()
    if dtype == "bfloat16":  # the upper half, rounded to nearest even
        bits = values.view("<u4")
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return values.tobytes()


def write_atomically(path: str, write):
    """Calls write(file) on a temporary file beside `path`, then renames it: there is never half a file of that name."""
    temporary = f"{path}.part"
    try:
        with open(temporary, "wb") as file:
            write(file)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_safetensors(path: str, tensors, dtype: str):
    code, width = DTYPES[dtype]
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, _ in tensors:
        size = math.prod(shape) * width
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def write(file):
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape, make in tensors:
            values = make()
            assert values.shape == tuple(shape)
            file.write(encode(values, dtype))

    write_atomically(path, write)


def write_weights(directory: str, tensors, dtype: str, max_shard_size: int | None):
    width = DTYPES[dtype][1]
    shards, filled = [[]], 0
    for tensor in tensors:
        size = math.prod(tensor[1]) * width
        if max_shard_size and shards[-1] and filled + size > max_shard_size:
            shards.append([])
            filled = 0
        shards[-1].append(tensor)
        filled += size
    if len(shards) == 1:
        write_safetensors(os.path.join(directory, "model.safetensors"), shards[0], dtype)
        return
    weight_map = {}
    for i, shard in enumerate(shards, 1):
        name = f"model-{i:05}-of-{len(shards):05}.safetensors"
        write_safetensors(os.path.join(directory, name), shard, dtype)
        weight_map.update((tensor[0], name) for tensor in shard)
    total = sum(math.prod(shape) * width for _, shape, _ in tensors)
    write_json(directory, "model.safetensors.index.json",
               {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))})


# --- the small files --------------------------------------------------------------------------------------------------------


def write_json(directory: str, name: str, value):
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomically(os.path.join(directory, name), lambda file: file.write(text.encode()))


def without_defaults(values: dict, defaults: dict) -> dict:
    """As transformers saves configurations: differences from the class's defaults only."""
    return {key: value for key, value in values.items() if defaults.get(key) != value}


def config(preset: Preset, dtype: str) -> dict:
    text = {"vocab_size": preset.vocab, "hidden_size": preset.text.width, "num_hidden_layers": preset.text.layers,
            "num_attention_heads": preset.text.heads, "intermediate_size": preset.text.mlp,
            "max_position_embeddings": preset.positions}
    vision = {"hidden_size": preset.vision.width, "num_hidden_layers": preset.vision.layers,
              "num_attention_heads": preset.vision.heads, "intermediate_size": preset.vision.mlp,
              "projection_dim": preset.projection, "image_size": preset.image, "patch_size": preset.patch}
    common = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    return {
        "architectures": ["ChineseCLIPModel"],
        "logit_scale_init_value": 2.6592,
        "model_type": "chinese_clip",
        "projection_dim": preset.projection,
        "text_config": {"model_type": "chinese_clip_text_model",
                        **without_defaults(text, {**common, "vocab_size": 30522, "max_position_embeddings": 512})},
        "torch_dtype": dtype,
        "transformers_version": "4.37.2",
        "vision_config": {"model_type": "chinese_clip_vision_model",
                          **without_defaults(vision, {**common, "projection_dim": 512, "image_size": 224, "patch_size": 32})},
    }


def preprocessor_config(preset: Preset) -> dict:
    size = {"height": preset.image, "width": preset.image}
    return {
        "crop_size": size, "do_center_crop": False, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True,
        "do_resize": True, "feature_extractor_type": "ChineseCLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "ChineseCLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "rescale_factor": 0.00392156862745098, "size": size,
    }


SPECIAL_TOKENS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


def tokenizer_config(vocab: list[str], positions: int) -> dict:
    special = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    ids = sorted(vocab.index(token) for token in SPECIAL_TOKENS.values())
    return {
        "added_tokens_decoder": {str(i): {"content": vocab[i], **special} for i in ids},
        "clean_up_tokenization_spaces": True, **SPECIAL_TOKENS, "do_basic_tokenize": True, "do_lower_case": True,
        "model_max_length": 1000000000000000019884624838656, "never_split": None, "strip_accents": None,
        "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer",
    }


def read_vocab(path: str) -> tuple[bytes, list[str]]:
    with open(path, "rb") as file:
        content = file.read()
    tokens = content.decode("utf-8").split("\n")  # not splitlines(): tokens may contain other Unicode line ends
    if tokens[-1] == "":
        tokens.pop()
    missing = [token for token in SPECIAL_TOKENS.values() if token not in tokens]
    if missing:
        raise SystemExit(f"make_checkpoint: {path}: no line {missing[0]}")
    return content, tokens


def size_in_bytes(text: str) -> int:
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    for unit, factor in units.items():
        if text.endswith(unit) and text[: -len(unit)].isdigit():
            return int(text[: -len(unit)]) * factor
    if text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is not a size such as 500MB or 2GiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--max-shard-size", type=size_in_bytes, metavar="SIZE", help="split the weights, e.g. 500MB")
    parser.add_argument("--vocab", metavar="FILE", help="copy this vocab.txt instead of making one")
    parser.add_argument("--force", action="store_true", help="replace the weights that DIR already has")
    options = parser.parse_args()

    preset = PRESETS[options.preset]
    if options.vocab:
        content, vocab = read_vocab(options.vocab)
        preset = dataclasses.replace(preset, vocab=len(vocab))
    else:
        vocab = build_vocab(preset.vocab)
        content = "".join(token + "\n" for token in vocab).encode()

    os.makedirs(options.directory, exist_ok=True)
    # Left-over weights of another layout (single file, shards) would be found before the new ones.
    old = [name for name in os.listdir(options.directory) if re.fullmatch(r"(model|pytorch_model)\b.*\.(safetensors|bin|json)", name)]
    if old and not options.force:
        raise SystemExit(f"make_checkpoint: {options.directory} has weights already ({old[0]}); --force replaces them")
    for name in old:
        os.remove(os.path.join(options.directory, name))
    write_json(options.directory, "config.json", config(preset, options.dtype))
    write_json(options.directory, "preprocessor_config.json", preprocessor_config(preset))
    write_json(options.directory, "tokenizer_config.json", tokenizer_config(vocab, preset.positions))
    write_json(options.directory, "special_tokens_map.json", SPECIAL_TOKENS)
    write_atomically(os.path.join(options.directory, "vocab.txt"), lambda file: file.write(content))
    weights = Weights(preset, options.seed)
    write_weights(options.directory, weights.tensors, options.dtype, options.max_shard_size)
    parameters = sum(math.prod(shape) for _, shape, _ in weights.tensors)
    print(f"{options.directory}: {options.preset}, {parameters:,} parameters, {len(weights.tensors)} tensors, {options.dtype}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
