#!/usr/bin/env python3
"""Writes the model goldens of tests/data/models: tiny Chinese-CLIP checkpoints, inputs, and every intermediate of the
reference implementation.

    scripts/make_goldens.py              write tests/data/models/
    scripts/make_goldens.py --check      compute again, compare with what is committed, write nothing
    scripts/make_goldens.py --model DIR --out FILE [--image FILE...] [--text TEXT...] [--embeddings-only]
                                         the goldens of any checkpoint, for `tuwen verify DIR --goldens FILE`

Needs transformers 4.37.2 (later versions lack parts of the text model), torch, safetensors and numpy.

One directory per model: config.json and weights as a user would have them, and goldens.safetensors:

    input_ids, attention_mask, token_type_ids [B, S]   padded on the right; pixel_values [I, C, h, w]
    text.embeddings                [R, H]    R: the real tokens of all texts, one after the other, no padding rows
    text.layers.{i}.context        [R, H]    heads of the attention side by side, before its output product
    text.layers.{i}.attention      [R, H]    after the attention's LayerNorm
    text.layers.{i}.mlp            [R, F]    activation of the first feed-forward product
    text.layers.{i}.output         [R, H]
    text.pooled [B, H]   text.features [B, J]   text.embeds [B, J] (normalised)
    vision.patches                 [i, N, D] patch products, before class token and positions; the first i images
    vision.embeddings              [i, T, D] class token first, positions added; T = N + 1
    vision.pre_layernorm           [i, T, D]
    vision.layers.{i}.norm1 .context .attention (with the residual) .norm2 .mlp .output     [i, T, D or F]
    vision.pooled [I, D]   image.features [I, J]   image.embeds [I, J] (normalised)
    logits_per_text [B, I]   logits_per_image [I, B]   loss [] (where B = I)
    moved.position_ids [1, S]   moved.text.features [B, J]    the same texts at other positions (where present)

activations.safetensors: x and every activation of it, in double. manifest.json: versions, and how far the reference's own
f32 results are from the same computation in double, as max |f32 - f64| / (1 + |f64|): the share of a test's tolerance that
is not ours to spend.

With --model the file also holds what the inputs were made of, texts and texts.begin, images and images.begin (their bytes and
where each begins; input_ids and pixel_values are the reference processor's), and of features, embeds and every layer's
output the same in double, exact.NAME. With --embeddings-only of the results only embeds, exact.NAME of them and logits_per_image.
"""

import argparse
import collections
import copy
import io
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import safetensors.torch
import torch
import transformers
from PIL import Image
from transformers import BertTokenizerFast, ChineseCLIPConfig, ChineseCLIPImageProcessor, ChineseCLIPModel
from transformers.activations import ACT2FN

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from check_parity import draw_images  # noqa: E402

DESTINATION = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "models"

# Widths are chosen to be awkward: few are multiples of 16, head widths are 2, 7, 8, 9, 11, 64 and 80, patch counts are odd.
MODELS = {
    # A complete directory, with the files of tokenizer and image processor beside the model.
    "base": {
        "config": {
            "text_config": {
                "model_type": "chinese_clip_text_model", "vocab_size": 64, "hidden_size": 24, "num_hidden_layers": 2,
                "num_attention_heads": 3, "intermediate_size": 40, "hidden_act": "gelu", "max_position_embeddings": 20,
                "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0},
            "vision_config": {
                "model_type": "chinese_clip_vision_model", "hidden_size": 40, "num_hidden_layers": 2,
                "num_attention_heads": 5, "intermediate_size": 44, "image_size": 18, "patch_size": 6,
                "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5},
            "projection_dim": 20, "logit_scale_init_value": 2.6592},
        "logit_scale": 4.6052, "lengths": [2, 20, 7], "images": 2, "captured_images": 1, "complete": True},
    # Heads as wide as the base and large models' (two in the text tower), stored in bfloat16.
    "head64_bf16": {
        "config": {
            "text_config": {
                "vocab_size": 40, "hidden_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2,
                "intermediate_size": 28, "hidden_act": "gelu_new", "max_position_embeddings": 18},
            "vision_config": {
                "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1, "intermediate_size": 20,
                "image_size": 15, "patch_size": 5, "hidden_act": "gelu"},
            "projection_dim": 28, "torch_dtype": "bfloat16"},
        "dtype": torch.bfloat16, "logit_scale": 2.6592, "lengths": [17, 5], "images": 2, "captured_images": 1},
    # Heads as wide as the huge model's, stored in float16.
    "head80_f16": {
        "config": {
            "text_config": {
                "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                "intermediate_size": 17, "hidden_act": "relu", "max_position_embeddings": 12},
            "vision_config": {
                "hidden_size": 80, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 25,
                "image_size": 12, "patch_size": 4, "hidden_act": "quick_gelu"},
            "projection_dim": 9, "torch_dtype": "float16"},
        "dtype": torch.float16, "logit_scale": 4.6052, "lengths": [12, 1, 3, 4], "images": 1, "captured_images": 1},
    # Odd widths everywhere, a third token type, epsilons large enough to be seen, one channel, an image with pixels that
    # belong to no patch, two shards.
    "odd_sharded": {
        "config": {
            "text_config": {
                "vocab_size": 61, "hidden_size": 21, "num_hidden_layers": 3, "num_attention_heads": 3,
                "intermediate_size": 33, "hidden_act": "silu", "max_position_embeddings": 23, "type_vocab_size": 3,
                "layer_norm_eps": 1e-2},
            "vision_config": {
                "hidden_size": 22, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 29,
                "num_channels": 1, "image_size": 17, "patch_size": 5, "hidden_act": "gelu_fast", "layer_norm_eps": 1e-3},
            "projection_dim": 13, "logit_scale_init_value": 0.5},
        "logit_scale": -0.5, "lengths": [9, 23], "images": 3, "captured_images": 3, "shards": 2, "moved": True},
    # As transformers saves: nothing that equals a default of the classes (12 heads of 2 here), so projection_dim is 512,
    # there are 512 positions, two token types, and the activations are gelu and quick_gelu.
    "sparse_config": {
        "config": {
            "model_type": "chinese_clip",
            "text_config": {"vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 2, "intermediate_size": 20},
            "vision_config": {"hidden_size": 24, "num_hidden_layers": 1, "intermediate_size": 20, "image_size": 12,
                              "patch_size": 4, "dropout": 0.0}},
        "dtype": torch.float16, "logit_scale": 2.6592, "lengths": [6, 3], "images": 3, "captured_images": 1},
    # The oldest form: *_config_dict override every key of *_config, with defaults where they say nothing; a
    # pytorch_model.bin with gamma and beta, position_ids, strided projections and q, k, v that share a storage. The patches of
    # the large models (K = 588).
    "legacy_bin": {
        "config": {
            "text_config": {"hidden_act": "relu", "type_vocab_size": 7, "hidden_size": 999, "vocab_size": 30},
            "vision_config": {"hidden_act": "gelu", "layer_norm_eps": 0.5},
            "text_config_dict": {"vocab_size": 30, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
                                 "intermediate_size": 44, "max_position_embeddings": 16},
            "vision_config_dict": {"hidden_size": 18, "num_hidden_layers": 1, "num_attention_heads": 2,
                                   "intermediate_size": 19, "image_size": 42, "patch_size": 14},
            "projection_dim": 17},
        "logit_scale": 3.0, "lengths": [4, 16], "images": 1, "captured_images": 1, "legacy_bin": True},
}

# For --model: of 3 to 52 tokens.
TEXTS = ["猫", "皮卡丘", "一张雪山脚下湖面倒影的照片，远处有两只正在飞过的白鹭。", "A photo of 3 dogs & ten cats. " + "红色的苹果" * 8]

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list("图文一二三四五六七八九十人口山水火木日月上下中大小猫狗鱼鸟花草") + list(
    "abcdefgh0123,.!?") + ["##" + c for c in "abcdefgh0123"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    parser.add_argument("--model", type=pathlib.Path, metavar="DIR", help="a checkpoint with its processor's files")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="of --model: the file to write")
    parser.add_argument("--image", nargs="+", type=pathlib.Path, metavar="FILE", help="of --model; default: two are drawn")
    parser.add_argument("--text", nargs="+", metavar="TEXT", help="of --model; default: four of different lengths")
    parser.add_argument("--embeddings-only", action="store_true", help="of --model: no intermediates, for a small file")
    arguments = parser.parse_args()
    if (arguments.model is None) != (arguments.out is None) or (arguments.model and arguments.check):
        parser.error("--model and --out go together, without --check")
    if transformers.__version__ != "4.37.2":
        sys.exit(f"make_goldens.py: needs transformers 4.37.2, found {transformers.__version__}")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if arguments.model:
        return write_goldens_of(arguments)

    with tempfile.TemporaryDirectory() as scratch:
        made = pathlib.Path(scratch) / "models"
        made.mkdir()
        write_all(made)
        if arguments.check:
            sys.exit(compare(made, DESTINATION))
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(made, DESTINATION)
    size = sum(f.stat().st_size for f in DESTINATION.rglob("*") if f.is_file())
    print(f"{DESTINATION}: {size} bytes")


def write_all(root):
    manifest = {
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]},
        "deviation": "max |f32 - f64| / (1 + |f64|) of the reference itself",
        "models": {},
    }
    for seed, (name, spec) in enumerate(MODELS.items(), start=1):
        directory = root / name
        directory.mkdir()
        generator = torch.Generator().manual_seed(seed)
        write_checkpoint(directory, spec, generator)
        model = load(directory)
        inputs = make_inputs(model.config, spec, generator)
        goldens = run(model, inputs, spec["captured_images"])
        exact = run(copy.deepcopy(model).double(), inputs, spec["captured_images"])
        safetensors.torch.save_file({**inputs, **goldens}, directory / "goldens.safetensors", {"format": "pt"})
        manifest["models"][name] = {key: deviation(goldens[key], exact[key]) for key in goldens}
    safetensors.torch.save_file(activations(), root / "activations.safetensors", {"format": "pt"})
    (root / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def write_goldens_of(arguments):
    """Of one checkpoint, from files and texts to embeddings, in f32 and in double."""
    torch.set_num_threads(os.cpu_count())
    model = load(arguments.model)
    with tempfile.TemporaryDirectory() as scratch:
        paths = arguments.image or draw_images(pathlib.Path(scratch) / "images")[1:3]  # one to shrink, one to enlarge
        files = [path.read_bytes() for path in paths]
    texts = arguments.text or TEXTS
    tokens = BertTokenizerFast.from_pretrained(arguments.model)(
        texts, padding=True, truncation=True, max_length=model.config.text_config.max_position_embeddings, return_tensors="pt")
    pictures = [Image.open(io.BytesIO(data)) for data in files]
    pixels = ChineseCLIPImageProcessor.from_pretrained(arguments.model)(pictures, return_tensors="pt")["pixel_values"]
    inputs = {key: tokens[key] for key in ("input_ids", "attention_mask", "token_type_ids")} | {"pixel_values": pixels}
    goldens = run(model, inputs, captured_images=1)
    exact = run(model.double(), inputs, captured_images=1)
    if arguments.embeddings_only:
        goldens = {name: value for name, value in goldens.items() if name.endswith("embeds") or name == "logits_per_image"}
        exact = {name: exact[name] for name in goldens}
    kept = ("features", "embeds", "output")
    sources = {}
    for name, items in (("texts", [text.encode() for text in texts]), ("images", files)):
        sources[name] = torch.frombuffer(bytearray(b"".join(items)), dtype=torch.uint8)
        sources[f"{name}.begin"] = torch.tensor(np.cumsum([0, *map(len, items)]))
    about = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "model": arguments.model.name}
    doubles = {f"exact.{name}": value for name, value in exact.items() if name.split(".")[-1] in kept}
    partial = arguments.out.with_name(arguments.out.name + ".partial")
    safetensors.torch.save_file({**sources, **inputs, **goldens, **doubles}, partial, about)
    partial.replace(arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes, {len(texts)} texts, {len(files)} pictures")


# --- checkpoints ------------------------------------------------------------------------------------------------------


def write_checkpoint(directory, spec, generator):
    config = {"architectures": ["ChineseCLIPModel"], "model_type": "chinese_clip", **spec["config"]}
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    model = ChineseCLIPModel(ChineseCLIPConfig(**{k: v for k, v in config.items() if k != "torch_dtype"}))
    fill(model, spec["logit_scale"], generator)
    state = {k: v.detach().to(spec.get("dtype", torch.float32)) for k, v in model.state_dict().items()}
    if spec.get("legacy_bin"):
        torch.save(legacy_state(state, model.config), directory / "pytorch_model.bin")
    elif "shards" in spec:
        write_shards(directory, state, spec["shards"])
    else:
        safetensors.torch.save_file(state, directory / "model.safetensors", {"format": "pt"})
    if spec.get("complete"):
        write_companions(directory, model.config)


def fill(model, logit_scale, generator):
    """Random weights that make every part count: attention that is neither uniform nor one-hot, activations on both
    sides of zero, biases and offsets large enough that losing one shows, one loud channel as in trained models."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name == "logit_scale":
            value = torch.tensor(logit_scale)
        elif ("LayerNorm" in name or "norm" in name) and name.endswith("weight"):
            value = 1 + 0.3 * noise
            value[3] *= 3
        elif name.endswith("bias"):
            value = 0.3 * noise
        elif "embeddings" in name and "patch" not in name:
            value = 0.6 * noise
        else:
            fan_in = parameter[0].numel()
            value = noise / fan_in**0.5
        parameter.copy_(value)


def legacy_state(state, config):
    old = collections.OrderedDict()
    for name, tensor in state.items():
        if name.endswith("projection.weight"):
            tensor = tensor.t().contiguous().t()
        if "text_model" in name and "LayerNorm" in name:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        old[name] = tensor
    for part in ("weight", "bias"):
        for layer in range(config.vision_config.num_hidden_layers):
            names = [f"vision_model.encoder.layers.{layer}.self_attn.{p}_proj.{part}" for p in "qkv"]
            for name, view in zip(names, torch.cat([old[n] for n in names]).chunk(3)):
                old[name] = view
    old["text_model.embeddings.position_ids"] = torch.arange(config.text_config.max_position_embeddings).unsqueeze(0)
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2
    old["vision_model.embeddings.position_ids"] = torch.arange(patches + 1).unsqueeze(0)
    return old


def write_shards(directory, state, count):
    names = sorted(state)
    weight_map = {}
    for shard in range(count):
        file = f"model-{shard + 1:05}-of-{count:05}.safetensors"
        part = {name: state[name] for name in names[shard::count]}
        safetensors.torch.save_file(part, directory / file, {"format": "pt"})
        weight_map.update({name: file for name in part})
    index = {"metadata": {"total_size": sum(t.nbytes for t in state.values())}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def write_companions(directory, config):
    assert len(VOCABULARY) == config.text_config.vocab_size, len(VOCABULARY)
    side = config.vision_config.image_size
    (directory / "vocab.txt").write_text("".join(word + "\n" for word in VOCABULARY), encoding="utf-8")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "tokenize_chinese_chars": True,
                 "strip_accents": None, "model_max_length": config.text_config.max_position_embeddings}
    processor = {
        "image_processor_type": "ChineseCLIPImageProcessor", "do_resize": True, "size": {"height": side, "width": side},
        "resample": 3, "do_center_crop": False, "crop_size": {"height": side, "width": side}, "do_rescale": True,
        "rescale_factor": 0.00392156862745098, "do_normalize": True, "do_convert_rgb": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
    for file, content in (("tokenizer_config.json", tokenizer), ("preprocessor_config.json", processor)):
        (directory / file).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load(directory):
    """As a user loads it, so that the checkpoint's form is the reference's to judge."""
    model, info = ChineseCLIPModel.from_pretrained(directory, output_loading_info=True, attn_implementation="eager")
    stray = [key for key in info["unexpected_keys"] if not key.endswith("position_ids")]
    if info["missing_keys"] or info["mismatched_keys"] or stray:
        sys.exit(f"make_goldens.py: {directory}: {info}")
    return model.eval()


# --- inputs and results -----------------------------------------------------------------------------------------------


def make_inputs(config, spec, generator):
    text, vision = config.text_config, config.vision_config
    lengths, longest = spec["lengths"], max(spec["lengths"])
    ids = torch.randint(0, text.vocab_size, (len(lengths), longest), generator=generator)
    types = torch.randint(0, text.type_vocab_size, (len(lengths), longest), generator=generator)
    mask = torch.tensor([[1] * n + [0] * (longest - n) for n in lengths])
    types[0] = 0
    side = vision.image_size
    pixels = 4 * torch.rand((spec["images"], vision.num_channels, side, side), generator=generator) - 1.8
    inputs = {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types * mask, "pixel_values": pixels}
    if spec.get("moved"):
        order = torch.randperm(text.max_position_embeddings, generator=generator)
        inputs["moved.position_ids"] = order[:longest].unsqueeze(0).contiguous()
    return inputs


def run(model, inputs, captured_images):
    mask = inputs["attention_mask"].bool()
    pixels = inputs["pixel_values"].to(model.dtype)
    captured, handles = {}, []

    def keep(module, name, of_input=False):
        def hook(_, args, result=None):
            value = args[0] if of_input else result[0] if isinstance(result, tuple) else result
            assert name not in captured, name
            captured[name] = value
        handles.append(module.register_forward_pre_hook(hook) if of_input else module.register_forward_hook(hook))

    text, vision = model.text_model, model.vision_model
    keep(text.embeddings, "text.embeddings")
    for i, layer in enumerate(text.encoder.layer):
        keep(layer.attention.self, f"text.layers.{i}.context")
        keep(layer.attention, f"text.layers.{i}.attention")
        keep(layer.intermediate, f"text.layers.{i}.mlp")
        keep(layer, f"text.layers.{i}.output")
    keep(vision.embeddings.patch_embedding, "vision.patches")
    keep(vision.embeddings, "vision.embeddings")
    keep(vision.pre_layrnorm, "vision.pre_layernorm")
    for i, layer in enumerate(vision.encoder.layers):
        keep(layer.layer_norm1, f"vision.layers.{i}.norm1")
        keep(layer.self_attn.out_proj, f"vision.layers.{i}.context", of_input=True)
        keep(layer.layer_norm2, f"vision.layers.{i}.attention", of_input=True)
        keep(layer.layer_norm2, f"vision.layers.{i}.norm2")
        keep(layer.mlp.fc2, f"vision.layers.{i}.mlp", of_input=True)
        keep(layer, f"vision.layers.{i}.output")
    keep(vision.post_layernorm, "vision.pooled")
    keep(model.text_projection, "text.features")
    keep(model.visual_projection, "image.features")

    texts = {key: inputs[key] for key in ("input_ids", "attention_mask", "token_type_ids")}
    out = model(**texts, pixel_values=pixels, return_loss=len(mask) == len(pixels))
    for handle in handles:
        handle.remove()

    captured["vision.patches"] = captured["vision.patches"].flatten(2).transpose(1, 2)
    captured["text.pooled"] = captured[f"text.layers.{len(text.encoder.layer) - 1}.output"][:, 0]
    for name, value in captured.items():
        if value.dim() == 3:
            captured[name] = value[mask] if name.startswith("text.") else value[:captured_images]
    captured |= {"text.embeds": out.text_embeds, "image.embeds": out.image_embeds,
                 "logits_per_text": out.logits_per_text, "logits_per_image": out.logits_per_image}
    if out.loss is not None:
        captured["loss"] = out.loss
    if "moved.position_ids" in inputs:
        captured["moved.text.features"] = model.get_text_features(**texts, position_ids=inputs["moved.position_ids"])
    return {name: value.detach().clone().contiguous() for name, value in captured.items()}


def activations():
    x = torch.cat([torch.linspace(-12, 12, 97), torch.tensor([0.0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 5.999, 6.001, 30.0,
                                                              -30.0, 90.0, -90.0, 1e4, -1e4])]).double()
    values = {name: ACT2FN[name](x).clone() for name in sorted(transformers.activations.ACT2CLS)}
    return {"x": x, **values, "selu": torch.nn.functional.selu(x)}


def deviation(single, exact):
    exact = exact.double()
    return float(f"{((single.double() - exact).abs() / (1 + exact.abs())).max():.2e}")


# --- check ------------------------------------------------------------------------------------------------------------


def compare(made, committed):
    """Exit status: 0 when the same files hold the same weights and inputs, and results that differ by rounding only."""
    problems = []
    names = {f.relative_to(made) for f in made.rglob("*") if f.is_file()}
    present = {f.relative_to(committed) for f in committed.rglob("*") if f.is_file()}
    problems += [f"{f}: only on one side" for f in names ^ present]
    for file in sorted(names & present):
        if file.name in ("manifest.json", "pytorch_model.bin"):
            continue
        if file.suffix != ".safetensors":
            if (made / file).read_bytes() != (committed / file).read_bytes():
                problems.append(f"{file}: content differs")
            continue
        new, old = (safetensors.torch.load_file(root / file) for root in (made, committed))
        problems += [f"{file}: {key}: only on one side" for key in new.keys() ^ old.keys()]
        for key in new.keys() & old.keys():
            if new[key].shape != old[key].shape or not np.allclose(new[key].double(), old[key].double(), 1e-5, 1e-5):
                problems.append(f"{file}: {key}: differs")
    print("\n".join(problems) or "the committed goldens are what this environment computes")
    return 1 if problems else 0


if __name__ == "__main__":
    main()
