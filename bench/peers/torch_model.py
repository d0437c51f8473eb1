"""The towers as torch modules, from transformers' own classes, with one projection at the end and nothing else computed."""
import torch
import torch.nn.functional as F
from transformers import ChineseCLIPModel
from transformers.models.chinese_clip import modeling_chinese_clip as reference


class Image(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.vision, self.projection = model.vision_model, model.visual_projection

    def forward(self, pixels):
        return self.projection(self.vision(pixels)[1])


class Text(torch.nn.Module):
    """Without a mask every id is a token, and no mask is added to the scores."""

    def __init__(self, model):
        super().__init__()
        self.text, self.projection = model.text_model, model.text_projection

    def forward(self, ids, mask=None):
        if mask is not None:
            mask = (1 - mask[:, None, None, :].to(self.projection.weight.dtype)) * torch.finfo(self.projection.weight.dtype).min
        return self.projection(self.text.encoder(self.text.embeddings(ids), attention_mask=mask)[0][:, 0])


def use_sdpa():
    """transformers 4.37.2 writes attention out for this model; torch's fused attention is faster."""

    def split(x, heads):
        return x.view(*x.shape[:2], heads, -1).transpose(1, 2)

    def merge(x):
        return x.transpose(1, 2).flatten(2)

    def vision(self, hidden_states, output_attentions=False):
        q, k, v = (split(p(hidden_states), self.num_heads) for p in (self.q_proj, self.k_proj, self.v_proj))
        return self.out_proj(merge(F.scaled_dot_product_attention(q, k, v))), None

    def text(self, hidden_states, attention_mask=None, *_, **__):
        q, k, v = (split(p(hidden_states), self.num_attention_heads) for p in (self.query, self.key, self.value))
        return (merge(F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask)),)

    reference.ChineseCLIPVisionAttention.forward = vision
    reference.ChineseCLIPTextSelfAttention.forward = text


def load(directory, tower, dtype=torch.float32):
    model = ChineseCLIPModel.from_pretrained(directory).eval()
    return (Image if tower == "image" else Text)(model).to(dtype).eval()
