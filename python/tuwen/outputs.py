"""What the models return: objects with attributes, keys and indices."""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import Any, Optional, Tuple


class ModelOutput(OrderedDict):
    """A dataclass whose fields that are not None are also the entries of a dictionary and, by number, of a tuple."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                super().__setitem__(field.name, value)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if value is not None and name in self.keys():
            super().__setitem__(name, value)
        super().__setattr__(name, value)

    def __delitem__(self, *args: Any, **kwargs: Any) -> None:
        raise Exception(f"You cannot use ``__delitem__`` on a {type(self).__name__} instance.")

    def setdefault(self, *args: Any, **kwargs: Any) -> None:
        raise Exception(f"You cannot use ``setdefault`` on a {type(self).__name__} instance.")

    def pop(self, *args: Any, **kwargs: Any) -> None:
        raise Exception(f"You cannot use ``pop`` on a {type(self).__name__} instance.")

    def update(self, *args: Any, **kwargs: Any) -> None:
        raise Exception(f"You cannot use ``update`` on a {type(self).__name__} instance.")

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), {field.name: getattr(self, field.name) for field in fields(self)})

    def to_tuple(self) -> Tuple[Any, ...]:
        """The values that are not None, in the order of the fields."""
        return tuple(self[key] for key in self.keys())


def _rebuild(cls: type, values: dict) -> ModelOutput:
    return cls(**values)


@dataclass
class BaseModelOutputWithPooling(ModelOutput):
    """Of the image tower."""

    last_hidden_state: Any = None
    pooler_output: Any = None
    hidden_states: Optional[Tuple[Any, ...]] = None
    attentions: Optional[Tuple[Any, ...]] = None


@dataclass
class BaseModelOutputWithPoolingAndCrossAttentions(ModelOutput):
    """Of the text tower."""

    last_hidden_state: Any = None
    pooler_output: Any = None
    hidden_states: Optional[Tuple[Any, ...]] = None
    past_key_values: Optional[Tuple[Tuple[Any, ...], ...]] = None
    attentions: Optional[Tuple[Any, ...]] = None
    cross_attentions: Optional[Tuple[Any, ...]] = None


@dataclass
class ChineseCLIPOutput(ModelOutput):
    """Of both towers: similarities of every picture with every text."""

    loss: Any = None
    logits_per_image: Any = None
    logits_per_text: Any = None
    text_embeds: Any = None
    image_embeds: Any = None
    text_model_output: Optional[BaseModelOutputWithPoolingAndCrossAttentions] = None
    vision_model_output: Optional[BaseModelOutputWithPooling] = None

    def to_tuple(self) -> Tuple[Any, ...]:
        parts = ("text_model_output", "vision_model_output")
        return tuple(getattr(self, key).to_tuple() if key in parts else self[key] for key in self.keys())
