"""What the models return: objects with attributes, keys and indices."""
from __future__ import annotations

from collections import OrderedDict
from typing import Any


class ModelOutput(OrderedDict):
    """Named values. Those that are not None are also the entries of a dictionary and, by number, of a tuple."""

    fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if len(args) > len(self.fields):
            raise TypeError(f"{type(self).__name__} takes at most {len(self.fields)} values, got {len(args)}")
        values = dict(zip(self.fields, args))
        for name, value in kwargs.items():
            if name not in self.fields or name in values:
                raise TypeError(f"{type(self).__name__}: unexpected argument {name!r}")
            values[name] = value
        super().__init__()
        for name in self.fields:
            value = values.get(name)
            super().__setattr__(name, value)
            if value is not None:
                super().__setitem__(name, value)

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
        raise TypeError(f"You cannot use ``__delitem__`` on a {type(self).__name__} instance.")

    def setdefault(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(f"You cannot use ``setdefault`` on a {type(self).__name__} instance.")

    def pop(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(f"You cannot use ``pop`` on a {type(self).__name__} instance.")

    def update(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(f"You cannot use ``update`` on a {type(self).__name__} instance.")

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, name) for name in self.fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.fields)})"

    def to_tuple(self) -> tuple[Any, ...]:
        """The values that are not None, in the order of the fields."""
        return tuple(self[key] for key in self.keys())


class BaseModelOutputWithPooling(ModelOutput):
    """Of the image tower."""

    fields = ("last_hidden_state", "pooler_output", "hidden_states", "attentions")
    last_hidden_state: Any
    pooler_output: Any
    hidden_states: tuple[Any, ...] | None
    attentions: tuple[Any, ...] | None


class BaseModelOutputWithPoolingAndCrossAttentions(ModelOutput):
    """Of the text tower."""

    fields = ("last_hidden_state", "pooler_output", "hidden_states", "past_key_values", "attentions", "cross_attentions")
    last_hidden_state: Any
    pooler_output: Any
    hidden_states: tuple[Any, ...] | None
    past_key_values: tuple[tuple[Any, ...], ...] | None
    attentions: tuple[Any, ...] | None
    cross_attentions: tuple[Any, ...] | None


class ChineseCLIPOutput(ModelOutput):
    """Of both towers: similarities of every picture with every text."""

    fields = (
        "loss", "logits_per_image", "logits_per_text", "text_embeds", "image_embeds", "text_model_output",
        "vision_model_output",
    )
    loss: Any
    logits_per_image: Any
    logits_per_text: Any
    text_embeds: Any
    image_embeds: Any
    text_model_output: BaseModelOutputWithPoolingAndCrossAttentions
    vision_model_output: BaseModelOutputWithPooling

    def to_tuple(self) -> tuple[Any, ...]:
        return tuple(value.to_tuple() if isinstance(value, ModelOutput) else value for value in self.values())
