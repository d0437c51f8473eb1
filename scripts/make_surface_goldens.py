#!/usr/bin/env python3
"""Writes tests/data/surface: tiny models with every input and output that the reference documents for its towers.

    scripts/make_surface_goldens.py              write tests/data/surface/
    scripts/make_surface_goldens.py --check      compute again, compare with what is committed, write nothing

Needs transformers 4.37.2 (later versions lack relative positions and decoders), torch, safetensors and numpy.

One directory per model: config.json, model.safetensors as save_pretrained writes it, and goldens.safetensors with one or more
calls: "CALL.in.NAME" is an input under the name of the reference's argument ("CALL.in.past.N.key" ... for past_key_values),
"CALL.out.NAME" an output under tuwen's name (include/tuwen/forward.h). Calls whose name begins with "vision" are of the image
tower; "vision_sized" pictures are of another size than the model's.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import safetensors.torch
import torch
import transformers
from transformers import (ChineseCLIPConfig, ChineseCLIPModel, ChineseCLIPTextConfig, ChineseCLIPTextModel,
                          ChineseCLIPVisionConfig, ChineseCLIPVisionModel)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from check_surface import Case, fill, named  # noqa: E402

DESTINATION = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "surface"
TEXT = dict(vocab_size=17, hidden_size=12, num_attention_heads=3, num_hidden_layers=2, intermediate_size=7,
            max_position_embeddings=9, type_vocab_size=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    arguments = parser.parse_args()
    if transformers.__version__ != "4.37.2":
        sys.exit(f"make_surface_goldens.py: needs transformers 4.37.2, found {transformers.__version__}")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.utils.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as scratch:
        made = pathlib.Path(scratch) / "surface"
        for number, (name, make) in enumerate(MODELS.items()):
            case = Case(np.random.default_rng([7, number]), broken=False)
            model, calls = make(case)
            write(made / name, model, calls)
        if arguments.check:
            sys.exit(compare(made, DESTINATION))
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(made, DESTINATION)
    size = sum(f.stat().st_size for f in DESTINATION.rglob("*") if f.is_file())
    print(f"{DESTINATION}: {size} bytes")


def write(directory, model, calls):
    directory.mkdir(parents=True)
    model.save_pretrained(directory)
    tensors = {}
    for call, (inputs, outputs) in calls.items():
        for name, value in inputs.items():
            if name == "past_key_values":
                for i, layer in enumerate(value):
                    for part, array in zip(("key", "value", "cross_key", "cross_value"), layer):
                        tensors[f"{call}.in.past.{i}.{part}"] = array
            else:
                tensors[f"{call}.in.{name}"] = value
        tensors.update({f"{call}.out.{name}": value for name, value in outputs.items()})
    safetensors.torch.save_file({k: v.contiguous().clone() for k, v in tensors.items()}, directory / "goldens.safetensors",
                                {"format": "pt"})


def compare(made, committed):
    different = 0
    files = {p.relative_to(made) for p in made.rglob("*") if p.is_file()}
    for file in sorted(files | {p.relative_to(committed) for p in committed.rglob("*") if p.is_file()}):
        if not (made / file).exists() or not (committed / file).exists():
            print(f"{file}: only in one of the two")
            different += 1
        elif file.suffix == ".safetensors":
            a, b = (safetensors.torch.load_file(root / file) for root in (made, committed))
            same = a.keys() == b.keys() and all(torch.allclose(a[k].double(), b[k].double(), 1e-5, 1e-5, equal_nan=True) for k in a)
            if not same:
                print(f"{file}: tensors differ")
                different += 1
    print(f"{len(files)} files, {different} different")
    return different > 0


def call(model, inputs, cross=False, **options):
    output = model(**inputs, output_hidden_states=True, output_attentions=True, **options)
    return inputs, named(output, cross)


def ids(case, b, length, limit=17):
    return torch.from_numpy(case.random.integers(0, limit, (b, length)))


def encoder(case, **fixed):
    config = ChineseCLIPTextConfig(**{**TEXT, **fixed})
    model = fill(ChineseCLIPTextModel(config), case)
    padded = torch.tensor([[1, 1, 1, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 1]])
    square = torch.tril(torch.ones(3, 5, 5))
    square[1, 2] = 0
    calls = {
        "plain": call(model, {"input_ids": ids(case, 2, 5)}),
        "padded": call(model, {"input_ids": ids(case, 3, 5), "attention_mask": padded,
                               "token_type_ids": ids(case, 3, 5, 2)}),
        "square": call(model, {"inputs_embeds": case.normal(3, 5, 12), "attention_mask": square,
                               "position_ids": torch.tensor([[4, 3, 2, 8, 0]]), "head_mask": torch.tensor([1.0, 0.0, 0.5])}),
        "weighed": call(model, {"input_ids": ids(case, 1, 4), "attention_mask": torch.tensor([[0.0, 0.25, 2.0, 0.25]]),
                                "head_mask": torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])}),
    }
    return model, calls


def relative_key(case):
    return encoder(case, position_embedding_type="relative_key")


def relative_key_query(case):
    return encoder(case, position_embedding_type="relative_key_query", hidden_act="quick_gelu")


def decoder(case, cross=False, **fixed):
    config = ChineseCLIPTextConfig(**{**TEXT, **fixed}, is_decoder=True, add_cross_attention=cross)
    model = fill(ChineseCLIPTextModel(config, add_pooling_layer=False), case)
    seen = {"encoder_hidden_states": case.normal(2, 4, 12),
            "encoder_attention_mask": torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0]])} if cross else {}
    first = {"input_ids": ids(case, 2, 5), "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 1, 1]]), **seen}
    start, begun = call(model, first, cross, use_cache=True)
    parts = ("key", "value", "cross_key", "cross_value")[:4 if cross else 2]
    cache = tuple(tuple(begun[f"past.{i}.{p}"] for p in parts) for i in range(2))
    more = {"input_ids": ids(case, 2, 3), "past_key_values": cache, **seen,
            "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 1, 1, 1, 0]])}
    calls = {"start": (start, begun), "more": call(model, more, cross, use_cache=True),
             "one": call(model, {"input_ids": ids(case, 2, 1), "past_key_values": cache, **seen}, cross, use_cache=False),
             "square": call(model, {"input_ids": ids(case, 2, 3), "attention_mask": torch.ones(2, 3, 3), **seen}, cross,
                            use_cache=False)}
    return model, calls


def relative_decoder(case):
    return decoder(case, position_embedding_type="relative_key_query")


def cross_attention(case):
    return decoder(case, cross=True)


def pruned(case):
    model = fill(ChineseCLIPTextModel(ChineseCLIPTextConfig(**TEXT)), case)
    model.prune_heads({0: [1], 1: [0, 2]})
    return model, {"plain": call(model, {"input_ids": ids(case, 2, 4)})}


def vision_alone(case):
    config = ChineseCLIPVisionConfig(hidden_size=12, num_attention_heads=3, num_hidden_layers=2, intermediate_size=7,
                                     image_size=8, patch_size=3)
    model = fill(ChineseCLIPVisionModel(config), case)
    calls = {"vision": call(model, {"pixel_values": case.normal(2, 3, 8, 8)})}
    embeddings = model.vision_model.embeddings
    own = embeddings.position_embedding, embeddings.position_ids
    for name, (height, width) in {"vision_sized_up": (13, 9), "vision_sized_down": (3, 5)}.items():
        grid = own[0].weight[1:].reshape(1, 2, 2, 12).permute(0, 3, 1, 2)
        grid = torch.nn.functional.interpolate(grid, size=(height // 3, width // 3), mode="bicubic", align_corners=False)
        rows = torch.cat([own[0].weight[:1], grid.permute(0, 2, 3, 1).reshape(-1, 12)])
        embeddings.position_embedding = torch.nn.Embedding.from_pretrained(rows)
        embeddings.position_ids = torch.arange(len(rows))[None]
        calls[name] = call(model, {"pixel_values": case.normal(1, 3, height, width)})
    embeddings.position_embedding, embeddings.position_ids = own
    return model, calls


def joint(case):
    vision = dict(hidden_size=10, num_attention_heads=2, num_hidden_layers=1, intermediate_size=6, image_size=6, patch_size=3)
    config = ChineseCLIPConfig(text_config={**TEXT, "num_hidden_layers": 1}, vision_config=vision, projection_dim=5)
    model = fill(ChineseCLIPModel(config), case)
    inputs = {"input_ids": ids(case, 2, 6), "attention_mask": torch.tensor([[1, 1, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1]])}
    pixels = {"pixel_values": case.normal(2, 3, 6, 6)}
    both = model(**inputs, **pixels, return_loss=True)
    calls = {
        "features": (inputs, {"features": model.get_text_features(**inputs)}),
        "embeds": (inputs, {"embeds": both.text_embeds}),
        "all": (inputs, {"embeds": both.text_embeds, "features": model.get_text_features(**inputs),
                         "last_hidden_state": both.text_model_output.last_hidden_state}),
        "vision": (pixels, {"embeds": both.image_embeds, "features": model.get_image_features(**pixels),
                            "last_hidden_state": both.vision_model_output.last_hidden_state,
                            "pooler_output": both.vision_model_output.pooler_output}),
        "joint": ({}, {"logits_per_image": both.logits_per_image, "logits_per_text": both.logits_per_text, "loss": both.loss}),
    }
    return model, calls


MODELS = {f.__name__: f for f in (encoder, relative_key, relative_key_query, decoder, relative_decoder, cross_attention,
                                  pruned, vision_alone, joint)}

if __name__ == "__main__":
    main()
