#!/usr/bin/env python3
"""Writes tests/data/io: small checkpoints as PyTorch writes them, each with the values that PyTorch reads from it.

    make_io_goldens.py [DIR]

Needs torch (made with 2.14.1), transformers 4.37.2 and safetensors. NAME.bin or NAME.pt is the checkpoint; NAME.safetensors has
the expected tensors, contiguous and in float32.
"""
import json
import os
import sys
import warnings
from collections import OrderedDict

import torch
from safetensors.torch import save_file
from transformers import ChineseCLIPConfig, ChineseCLIPModel
from transformers.modeling_utils import shard_checkpoint
from transformers.models.chinese_clip import convert_chinese_clip_original_pytorch_to_hf as converter

SEED = 20240229


def expect(path: str, tensors: dict):
    """Names as transformers loads them (_fix_key), values as float32, storages not shared."""

    def fixed(name):
        return name.replace("beta", "bias") if "beta" in name else name.replace("gamma", "weight")

    save_file({fixed(name): t.detach().to(torch.float32).clone().contiguous() for name, t in tensors.items()}, path,
              metadata={"format": "pt"})


def state_dict() -> OrderedDict:
    """One tensor for each way in which a tensor can lie in its storage."""
    base = torch.randn(6, 8)
    stacked = torch.randn(12, 4)
    q, k, v = stacked.chunk(3)
    tensors = OrderedDict()
    tensors["plain"] = base
    tensors["scalar"] = torch.tensor(4.6052)
    tensors["empty"] = torch.zeros(0, 5)
    tensors["half"] = torch.tensor([1.5, -0.0, 65504.0, 6e-8, 1 / 3], dtype=torch.float16)
    tensors["bfloat"] = torch.randn(3, 3).to(torch.bfloat16)
    tensors["double"] = torch.randn(2, 2, dtype=torch.float64)
    tensors["layer.query"], tensors["layer.key"], tensors["layer.value"] = q, k, v  # one storage
    tensors["transposed"] = torch.randn(5, 7).T
    tensors["half_transposed"] = torch.randn(9, 2).to(torch.float16).T
    tensors["permuted"] = torch.randn(2, 3, 4).permute(2, 0, 1)
    tensors["window"] = base[1:5:2, 2:7:3]  # of the storage of "plain"
    tensors["column"] = base[:, 3]
    tensors["expanded"] = torch.randn(1, 4).expand(3, 4)
    tensors["diagonal"] = torch.randn(4, 4).diagonal()
    tensors["overlapping"] = torch.arange(6.0).as_strided((3, 3), (1, 1), 1)
    tensors["ones_of_size_one"] = torch.randn(1, 4, 1).as_strided((1, 4, 1), (99, 1, 77))
    tensors["parameter"] = torch.nn.Parameter(torch.randn(2, 3))
    tensors["parameter_with_state"] = torch.nn.Parameter(torch.randn(2))
    tensors["parameter_with_state"].note = "an attribute"
    tensors["embeddings.LayerNorm.gamma"] = torch.randn(4)
    tensors["embeddings.LayerNorm.beta"] = torch.randn(4)
    tensors["图文"] = torch.randn(2)
    tensors._metadata = OrderedDict([("", {"version": 1})])  # as Module.state_dict() attaches
    return tensors


def cn_clip_state_dict(text, vision, projection: int) -> OrderedDict:
    """A state dict as cn_clip trains it, with DistributedDataParallel's prefix."""
    d, h = vision.hidden_size, text.hidden_size
    tensors = OrderedDict()

    def add(name, *shape):
        tensors["module." + name] = torch.randn(*shape)

    add("text_projection", h, projection)
    tensors["module.logit_scale"] = torch.tensor(4.6052)
    add("visual.class_embedding", d)
    add("visual.positional_embedding", (vision.image_size // vision.patch_size) ** 2 + 1, d)
    add("visual.proj", d, projection)
    add("visual.conv1.weight", d, 3, vision.patch_size, vision.patch_size)
    for norm in ("ln_pre", "ln_post"):
        add(f"visual.{norm}.weight", d), add(f"visual.{norm}.bias", d)
    for i in range(vision.num_hidden_layers):
        block = f"visual.transformer.resblocks.{i}"
        add(f"{block}.attn.in_proj_weight", 3 * d, d), add(f"{block}.attn.in_proj_bias", 3 * d)
        for name, rows, columns in (("attn.out_proj", d, d), ("mlp.c_fc", vision.intermediate_size, d),
                                    ("mlp.c_proj", d, vision.intermediate_size)):
            add(f"{block}.{name}.weight", rows, columns), add(f"{block}.{name}.bias", rows)
        for norm in ("ln_1", "ln_2"):
            add(f"{block}.{norm}.weight", d), add(f"{block}.{norm}.bias", d)
    for name, tensor in ChineseCLIPModel(ChineseCLIPConfig(text_config=text.to_dict())).text_model.state_dict().items():
        tensors[f"module.bert.{name}"] = torch.randn_like(tensor)
    add("bert.pooler.dense.weight", h, h), add("bert.pooler.dense.bias", h)
    return tensors


def write_cn_clip(directory: str):
    config = ChineseCLIPConfig(
        text_config={"vocab_size": 24, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                     "intermediate_size": 12, "max_position_embeddings": 10},
        vision_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12,
                       "image_size": 8, "patch_size": 4},
        projection_dim=6)
    tensors = cn_clip_state_dict(config.text_config, config.vision_config, config.projection_dim)
    checkpoint = {"epoch": 3, "step": 7, "name": "tiny", "state_dict": tensors,
                  "optimizer": {"state": {0: {"step": 7, "exp_avg": torch.randn(3)}},
                                "param_groups": [{"lr": 5e-5, "betas": (0.9, 0.98), "amsgrad": False, "params": [0]}]}}
    torch.save(checkpoint, os.path.join(directory, "cn_clip.pt"))

    model = ChineseCLIPModel(config).eval()
    bare = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    converter.copy_text_model_and_projection(model, bare)
    converter.copy_vision_model_and_projection(model, bare)
    model.logit_scale.data = bare["logit_scale"]
    expect(os.path.join(directory, "cn_clip.safetensors"), model.state_dict())
    # The converter's own output: projections are transposed views, query, key and value share a storage. The same values.
    torch.save(model.state_dict(), os.path.join(directory, "converted.bin"))


def write_sharded(directory: str, tensors: dict):
    """As PreTrainedModel.save_pretrained splits; the expected values are those of torch.safetensors."""
    folder = os.path.join(directory, "sharded")
    os.makedirs(folder, exist_ok=True)
    shards, index = shard_checkpoint({name: tensors[name] for name in ("plain", "scalar", "half", "bfloat")}, 150)
    for name, shard in shards.items():
        torch.save(shard, os.path.join(folder, name))
    with open(os.path.join(folder, "pytorch_model.bin.index.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(index, indent=2, sort_keys=True) + "\n")


class AddOne(torch.nn.Module):
    def forward(self, x):
        return x + 1


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "tests", "data", "io")
    os.makedirs(directory, exist_ok=True)
    torch.manual_seed(SEED)
    warnings.simplefilter("ignore")

    def at(name):
        return os.path.join(directory, name)

    tensors = state_dict()
    torch.save(tensors, at("torch_zip.bin"))
    torch.save(tensors, at("torch_legacy.bin"), _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save({"plain": tensors["plain"]}, at("torch_no_crc.bin"))
    torch.serialization.set_crc32_options(True)
    expect(at("torch.safetensors"), tensors)

    # With the buffers that transformers before 4.31 saved.
    torch.save({"position_ids": torch.arange(5).expand(1, -1), "w": torch.ones(2), "mask": torch.tensor([True, False])},
               at("torch_integers.bin"))
    # Not state dicts of dense tensors: to be refused, each by name.
    torch.save(torch.nn.Linear(1, 1), at("refused_module.bin"))
    torch.jit.script(AddOne()).save(at("refused_torchscript.pt"))
    torch.save({"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, at("refused_quantized.bin"))
    torch.save({"w": torch.eye(2).to_sparse()}, at("refused_sparse.bin"))
    torch.save({"w": torch.ones(2, dtype=torch.complex64).conj()}, at("refused_complex.bin"))
    torch.save({"w": torch.ones(2, dtype=torch.float8_e4m3fn)}, at("refused_float8.bin"))
    torch.save({"w": torch.ones(2), "f": print}, at("refused_function.bin"))
    torch.save([torch.ones(2)], at("refused_list.bin"))
    torch.save({"epoch": 3}, at("refused_no_tensors.bin"))
    write_cn_clip(directory)
    write_sharded(directory, tensors)
    total = sum(os.path.getsize(os.path.join(folder, file)) for folder, _, files in os.walk(directory) for file in files)
    print(f"{directory}: {total} bytes")


if __name__ == "__main__":
    main()
