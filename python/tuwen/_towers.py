"""The forward pass of each tower: from what the classes' methods take to what they return."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import _native
from ._arrays import any_torch, floats, integers, returned
from .outputs import BaseModelOutputWithPooling, BaseModelOutputWithPoolingAndCrossAttentions


class TextResult:
    """Of the text tower, in either form of output."""

    def __init__(self, arrays: dict[str, np.ndarray], as_torch: bool) -> None:
        self._arrays, self._torch = arrays, as_torch

    def array(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def one(self, name: str) -> Any:
        return returned(self._arrays.get(name), self._torch)

    def all(self, prefix: str) -> tuple[Any, ...] | None:
        """name.0, name.1 ... or None where there are none."""
        found: list[Any] = []
        while f"{prefix}.{len(found)}" in self._arrays:
            found.append(self.one(f"{prefix}.{len(found)}"))
        return tuple(found) or None

    def past(self) -> tuple[tuple[Any, ...], ...] | None:
        layers: list[tuple[Any, ...]] = []
        while f"past.{len(layers)}.key" in self._arrays:
            prefix = f"past.{len(layers)}."
            parts = [prefix + part for part in ("key", "value", "cross_key", "cross_value")]
            layers.append(tuple(self.one(part) for part in parts if part in self._arrays))
        return tuple(layers) or None

    def output(self) -> BaseModelOutputWithPoolingAndCrossAttentions:
        return BaseModelOutputWithPoolingAndCrossAttentions(
            last_hidden_state=self.one("last_hidden_state"),
            pooler_output=self.one("pooler_output"),
            past_key_values=self.past(),
            hidden_states=self.all("hidden_states"),
            attentions=self.all("attentions"),
            cross_attentions=self.all("cross_attentions"),
        )

    def as_tuple(self) -> tuple[Any, ...]:
        """The cache stands in front of the hidden states, other than in the object."""
        rest = (self.past(), self.all("hidden_states"), self.all("attentions"), self.all("cross_attentions"))
        return (self.one("last_hidden_state"), self.one("pooler_output")) + tuple(v for v in rest if v is not None)


class VisionResult(TextResult):
    """Of the image tower."""

    def output(self) -> BaseModelOutputWithPooling:  # type: ignore[override]
        return BaseModelOutputWithPooling(
            last_hidden_state=self.one("last_hidden_state"),
            pooler_output=self.one("pooler_output"),
            hidden_states=self.all("hidden_states"),
            attentions=self.all("attentions"),
        )


def wanted_outputs(hidden_states: bool, attentions: bool, others: int) -> int:
    return (
        others
        | (_native.OUTPUT_HIDDEN_STATES if hidden_states else 0)
        | (_native.OUTPUT_ATTENTIONS if attentions else 0)
    )


def run_text(session: Any, config: Any, outputs: int, **inputs: Any) -> TextResult:
    """`inputs` as ChineseCLIPTextModel.forward names them; None for what is not given."""
    ids, embeds = inputs.get("input_ids"), inputs.get("inputs_embeds")
    if ids is not None and embeds is not None:
        raise ValueError("You cannot specify both input_ids and inputs_embeds at the same time")
    if ids is None and embeds is None:
        raise ValueError("You have to specify either input_ids or inputs_embeds")
    past = inputs.pop("past_key_values", None)
    as_torch = any_torch(*inputs.values(), past)
    arrays: dict[str, Any] = {}
    for name in ("input_ids", "token_type_ids", "position_ids"):
        arrays[name] = integers(inputs.get(name), name)
    for name in ("inputs_embeds", "attention_mask", "head_mask", "encoder_hidden_states", "encoder_attention_mask"):
        arrays[name] = floats(inputs.get(name), name)
    arrays["head_mask"] = _head_mask(arrays["head_mask"])
    _check_indices(arrays, config)
    if not config.is_decoder:
        arrays["encoder_hidden_states"] = arrays["encoder_attention_mask"] = None  # an encoder does not look at them
    elif arrays["encoder_hidden_states"] is not None and not config.add_cross_attention:
        raise ValueError(
            "If `encoder_hidden_states` are passed, the model has to be instantiated with cross-attention layers by "
            "setting `config.add_cross_attention=True`"
        )
    if past is not None:
        if not isinstance(past, (tuple, list)) or not all(isinstance(layer, (tuple, list)) for layer in past):
            raise TypeError("past_key_values: expected a tuple of one (key, value) or more arrays for each layer")
        arrays["past_key_values"] = [floats(part, "past_key_values") for layer in past for part in layer]
    return TextResult(_native.text_forward(session, outputs, **arrays), as_torch)


def run_vision(session: Any, outputs: int, pixel_values: Any, interpolate: bool = False) -> VisionResult:
    if pixel_values is None:
        raise ValueError("You have to specify pixel_values")
    pixels = floats(pixel_values, "pixel_values")
    assert pixels is not None
    return VisionResult(_native.vision_forward(session, outputs, pixels, interpolate), any_torch(pixel_values))


def _head_mask(mask: np.ndarray | None) -> np.ndarray | None:
    """The reference takes [layers, 1, heads, 1, 1] too."""
    if mask is not None and mask.ndim == 5:
        mask = np.ascontiguousarray(mask.reshape(mask.shape[0], mask.shape[2]))
    if mask is not None and mask.ndim not in (1, 2):
        raise ValueError(f"head_mask: expected [heads] or [layers, heads], got {list(mask.shape)}")
    return mask


def _check_indices(arrays: dict[str, Any], config: Any) -> None:
    """IndexError for ids that no row of a table has, as the reference's embedding raises it."""
    limits = {
        "input_ids": config.vocab_size,
        "token_type_ids": config.type_vocab_size,
        "position_ids": config.max_position_embeddings,
    }
    for name, limit in limits.items():
        ids = arrays[name]
        if ids is None or ids.size == 0:
            continue
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= limit:
            raise IndexError(f"{name}: {low if low < 0 else high} is out of range, expected 0 to {limit - 1}")
