"""The towers as plain torch modules, for where transformers is not installed or not the release that torch_model.py is written
for: the same network, query, key and value as one product, torch's fused attention, nothing but the embedding computed."""
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def tensors_of(directory):
    """name -> tensor, of model.safetensors (one file)."""
    data = np.memmap(pathlib.Path(directory) / "model.safetensors", np.uint8, "c")
    size = int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8 : 8 + size]))
    header.pop("__metadata__", None)
    tensors = {}
    for name, about in header.items():
        begin, end = (8 + size + offset for offset in about["data_offsets"])
        raw = torch.from_numpy(np.array(data[begin:end]))
        tensors[name] = raw.view(TYPES[about["dtype"]]).reshape(about["shape"])
    return tensors


class Norm(torch.nn.LayerNorm):
    def __init__(self, tensors, name, epsilon):
        super().__init__(tensors[f"{name}.weight"].shape, epsilon)
        self.load_state_dict({"weight": tensors[f"{name}.weight"], "bias": tensors[f"{name}.bias"]})


class Linear(torch.nn.Linear):
    """Several products of the same input as one."""

    def __init__(self, tensors, *names):
        weight = torch.cat([tensors[f"{name}.weight"] for name in names])
        bias = torch.cat([tensors[f"{name}.bias"] for name in names]) if f"{names[0]}.bias" in tensors else None
        super().__init__(weight.shape[1], weight.shape[0], bias is not None)
        self.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})


def attention(x, qkv, out, heads, mask=None):
    q, k, v = qkv(x).view(*x.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
    return out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))


class ImageBlock(torch.nn.Module):
    def __init__(self, tensors, name, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (Norm(tensors, f"{name}.layer_norm{i}", 1e-5) for i in (1, 2))
        self.qkv = Linear(tensors, *(f"{name}.self_attn.{part}_proj" for part in "qkv"))
        self.out, self.fc1, self.fc2 = (Linear(tensors, f"{name}.{part}") for part in ("self_attn.out_proj", "mlp.fc1", "mlp.fc2"))

    def forward(self, x):
        x = x + attention(self.norm1(x), self.qkv, self.out, self.heads)
        h = self.fc1(self.norm2(x))
        return x + self.fc2(h * torch.sigmoid(1.702 * h))


class Image(torch.nn.Module):
    def __init__(self, tensors, config):
        super().__init__()
        layers, heads = config.get("num_hidden_layers", 12), config.get("num_attention_heads", 12)
        e = "vision_model.embeddings"
        self.patches = torch.nn.Parameter(tensors[f"{e}.patch_embedding.weight"])
        self.first = torch.nn.Parameter(tensors[f"{e}.class_embedding"])
        self.positions = torch.nn.Parameter(tensors[f"{e}.position_embedding.weight"])
        self.norm_before = Norm(tensors, "vision_model.pre_layrnorm", 1e-5)
        self.blocks = torch.nn.ModuleList(ImageBlock(tensors, f"vision_model.encoder.layers.{i}", heads) for i in range(layers))
        self.norm_after = Norm(tensors, "vision_model.post_layernorm", 1e-5)
        self.projection = Linear(tensors, "visual_projection")

    def forward(self, pixels):
        x = F.conv2d(pixels, self.patches, stride=self.patches.shape[-1]).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), 1, -1), x], 1) + self.positions
        x = self.norm_before(x)
        for block in self.blocks:
            x = block(x)
        return self.projection(self.norm_after(x[:, 0]))


class TextBlock(torch.nn.Module):
    def __init__(self, tensors, name, heads):
        super().__init__()
        self.heads = heads
        self.qkv = Linear(tensors, *(f"{name}.attention.self.{part}" for part in ("query", "key", "value")))
        self.out, self.fc1, self.fc2 = (Linear(tensors, f"{name}.{part}.dense") for part in ("attention.output", "intermediate", "output"))
        self.norm1, self.norm2 = (Norm(tensors, f"{name}.{part}.LayerNorm", 1e-12) for part in ("attention.output", "output"))

    def forward(self, x, mask):
        x = self.norm1(x + attention(x, self.qkv, self.out, self.heads, mask))
        return self.norm2(x + self.fc2(F.gelu(self.fc1(x))))


class Text(torch.nn.Module):
    """Without a mask every id is a token, and no mask is added to the scores."""

    def __init__(self, tensors, config):
        super().__init__()
        layers, heads = config.get("num_hidden_layers", 12), config.get("num_attention_heads", 12)
        e = "text_model.embeddings"
        self.words = torch.nn.Parameter(tensors[f"{e}.word_embeddings.weight"])
        self.positions = torch.nn.Parameter(tensors[f"{e}.position_embeddings.weight"])
        self.kind = torch.nn.Parameter(tensors[f"{e}.token_type_embeddings.weight"][0])
        self.norm = Norm(tensors, f"{e}.LayerNorm", 1e-12)
        self.blocks = torch.nn.ModuleList(TextBlock(tensors, f"text_model.encoder.layer.{i}", heads) for i in range(layers))
        self.projection = Linear(tensors, "text_projection")

    def forward(self, ids, mask=None):
        if mask is not None:
            mask = torch.where(mask[:, None, None, :] == 0, -math.inf, 0.0).to(self.words.dtype)
        x = self.norm(F.embedding(ids, self.words) + self.kind + self.positions[: ids.shape[1]])
        for block in self.blocks:
            x = block(x, mask)
        return self.projection(x[:, 0])


def load(directory, tower, dtype=torch.float32):
    """Only for what scripts/make_checkpoint.py writes and the published checkpoints are: no option of a layer is looked at."""
    config = json.loads((pathlib.Path(directory) / "config.json").read_text())
    for name, part in (("vision_config", config["vision_config"]), ("text_config", config["text_config"])):
        for key, value in (("hidden_act", "quick_gelu" if name == "vision_config" else "gelu"), ("is_decoder", False),
                           ("layer_norm_eps", 1e-5 if name == "vision_config" else 1e-12), ("position_embedding_type", "absolute")):
            if part.get(key, value) != value:
                raise ValueError(f"{directory}/config.json: {name}.{key}: expected {value}, found {part[key]}")
    tensors = tensors_of(directory)
    part = Image(tensors, config["vision_config"]) if tower == "image" else Text(tensors, config["text_config"])
    return part.to(dtype).eval()
