"""The demo model: a ChineseCLIPModel of transformers with small dimensions, and its files."""
import json
import math

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (BertTokenizerFast, ChineseCLIPConfig, ChineseCLIPImageProcessor, ChineseCLIPModel,
                          ChineseCLIPTextConfig, ChineseCLIPVisionConfig)

from demo_scenes import MEAN, SIZE, STD

EMBEDDING = 128
TEXT_LENGTH = 32  # tokens of a training text at most
VISION = dict(hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=768, image_size=SIZE,
              patch_size=12, hidden_act="gelu", projection_dim=EMBEDDING)
PATCHES = (SIZE // VISION["patch_size"]) ** 2
TEXT = dict(hidden_size=192, num_hidden_layers=3, num_attention_heads=3, intermediate_size=576, max_position_embeddings=64,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
FIRST_SCALE = math.log(14.0)


def build(vocabulary_size):
    config = ChineseCLIPConfig.from_text_vision_configs(
        ChineseCLIPTextConfig(vocab_size=vocabulary_size, **TEXT), ChineseCLIPVisionConfig(**VISION),
        projection_dim=EMBEDDING, logit_scale_init_value=FIRST_SCALE)
    return ChineseCLIPModel(config)


@torch.no_grad()
def start_patches(clip, pixels):
    """Sets the patch embedding to the principal components of the patches of `pixels` [B, 3, SIZE, SIZE], each with unit
    variance (mean colour and edges then count alike from the first step), and the positions to sines and cosines of row and
    column."""
    embeddings = clip.vision_model.embeddings
    width, side = embeddings.patch_embedding.weight.shape[0], VISION["patch_size"]
    patches = F.unfold(pixels, side, stride=side).transpose(1, 2).reshape(-1, 3 * side * side)
    variance, components = torch.linalg.eigh(patches.t() @ patches / len(patches))
    largest = slice(-width, None)
    rows = components[:, largest].t() / (variance[largest, None] + 1e-3 * variance[-1] / width).sqrt()
    embeddings.patch_embedding.weight.copy_(rows.view_as(embeddings.patch_embedding.weight))
    rates = 1.5 ** -torch.arange(width // 4)
    angles = torch.arange(SIZE // side)[:, None] * rates
    line = torch.cat([angles.sin(), angles.cos()], 1)
    grid = torch.cat([line[:, None].expand(-1, len(line), -1), line[None].expand(len(line), -1, -1)], 2)
    embeddings.position_embedding.weight[1:].copy_(grid.reshape(-1, width))


def image_features(clip, pixels):
    """[B, EMBEDDING], of length 1."""
    return F.normalize(clip.visual_projection(clip.vision_model(pixels)[1]).float(), dim=-1)


def text_features(clip, ids, mask):
    hidden = clip.text_model(input_ids=ids, attention_mask=mask)[0][:, 0]
    return F.normalize(clip.text_projection(hidden).float(), dim=-1)


class Classifier(torch.nn.Module):
    """Stage 0: the image tower, its projection, and one vector a class in the place of a text's embedding."""

    def __init__(self, clip, classes):
        super().__init__()
        self.vision, self.projection = clip.vision_model, clip.visual_projection
        self.classes = torch.nn.Parameter(torch.randn(classes, EMBEDDING) * 0.1)
        self.scale = torch.nn.Parameter(torch.tensor(FIRST_SCALE))

    def pooled(self, pixels, kept=None):
        """The class token behind the last layer, [B, width]. kept: the patches [B, n] to look at; without, all."""
        hidden = self.vision.embeddings(pixels)
        if kept is not None:
            patches = hidden[:, 1:].gather(1, kept[:, :, None].expand(-1, -1, hidden.shape[2]))
            hidden = torch.cat([hidden[:, :1], patches], 1)
        hidden = self.vision.encoder(inputs_embeds=self.vision.pre_layrnorm(hidden), return_dict=True)[0]
        return self.vision.post_layernorm(hidden[:, 0])

    def forward(self, pixels, kept=None):
        features = F.normalize(self.projection(self.pooled(pixels, kept)).float(), dim=-1)
        return self.scale.float().exp() * features @ F.normalize(self.classes.float(), dim=-1).t()

    @torch.no_grad()
    def start_as_discriminant(self, pooled):
        """Sets the last LayerNorm's bias, the projection and the class vectors to the linear discriminant of `pooled` [views, classes,
        width], what the untrained tower makes of some pictures of each class: the first step then starts far above chance."""
        mean = pooled.mean((0, 1))
        pooled = (pooled - mean).double()
        means = pooled.mean(0)
        within = (pooled - means).flatten(0, 1)
        within = within.t() @ within / len(within)
        width = len(within)
        variance, axes = torch.linalg.eigh(within + 0.02 * within.trace() / width * torch.eye(width, dtype=within.dtype))
        whiten = axes / variance.sqrt()
        _, best = torch.linalg.eigh((means @ whiten).t() @ (means @ whiten))
        discriminant = whiten @ best[:, -EMBEDDING:]
        self.vision.post_layernorm.bias.sub_(mean)
        self.projection.weight.copy_(discriminant.t() / (pooled @ discriminant).norm(dim=2).mean())
        self.classes.copy_(F.normalize(means @ discriminant, dim=-1))


def contrastive_loss(logits, truth):
    """InfoNCE both ways over [scenes, texts], row i's text being column i; other true pairs are no negatives."""
    own = torch.eye(len(logits), dtype=torch.bool)
    logits = logits.masked_fill(truth & ~own, float("-inf"))
    aim = torch.arange(len(logits))
    return (F.cross_entropy(logits, aim) + F.cross_entropy(logits.t(), aim)) / 2


def write_tokenizer(directory, lines):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "vocab.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    tokenizer = BertTokenizerFast(str(directory / "vocab.txt"), do_lower_case=True)
    special = {"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    write_json(directory / "special_tokens_map.json", special)
    write_json(directory / "tokenizer_config.json", dict(
        special, do_lower_case=True, do_basic_tokenize=True, never_split=None, strip_accents=None,
        tokenize_chinese_chars=True, tokenizer_class="BertTokenizer", model_max_length=TEXT["max_position_embeddings"]))
    return tokenizer


def write_model(directory, clip):
    """config.json, preprocessor_config.json and model.safetensors (f16) of the model, beside its tokenizer's files."""
    clip.config.torch_dtype = torch.float16
    clip.config.architectures = ["ChineseCLIPModel"]
    clip.config.save_pretrained(directory)
    processor = ChineseCLIPImageProcessor(size={"height": SIZE, "width": SIZE}, do_center_crop=False, image_mean=list(MEAN),
                                          image_std=list(STD))
    processor.save_pretrained(directory)
    tensors = {name: tensor.half().contiguous() for name, tensor in clip.state_dict().items()}
    save_file(tensors, str(directory / "model.safetensors"), metadata={"format": "pt"})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
