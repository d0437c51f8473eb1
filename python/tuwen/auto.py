"""The Auto classes, of which there is one choice each here."""
from __future__ import annotations

import os
from typing import Any

from .configuration import ChineseCLIPConfig, ChineseCLIPTextConfig, ChineseCLIPVisionConfig
from .image_processing import ChineseCLIPImageProcessor
from .processing import ChineseCLIPProcessor
from .tokenization import BertTokenizerFast


class _Auto:
    _made: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        raise OSError(f"{name} is designed to be instantiated using the `{name}.from_pretrained(path)` method.")

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Any:
        return cls._made.from_pretrained(pretrained_model_name_or_path, *args, **kwargs)


class AutoTokenizer(_Auto):
    _made = BertTokenizerFast


class AutoImageProcessor(_Auto):
    _made = ChineseCLIPImageProcessor


AutoFeatureExtractor = AutoImageProcessor


class AutoProcessor(_Auto):
    _made = ChineseCLIPProcessor


class AutoConfig(_Auto):
    """The class that config.json's model_type names."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Any:
        content, _ = ChineseCLIPConfig.get_config_dict(pretrained_model_name_or_path, **dict(kwargs))
        for made in (ChineseCLIPConfig, ChineseCLIPTextConfig, ChineseCLIPVisionConfig):
            if content.get("model_type", "chinese_clip") == made.model_type:
                return made.from_pretrained(pretrained_model_name_or_path, **kwargs)
        raise ValueError(f"model_type: {content.get('model_type')!r} is none of Chinese-CLIP's")


class AutoModel(_Auto):
    """The class that config.json's model_type names."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Any:
        from . import modeling

        where = {key: kwargs[key] for key in ("cache_dir", "revision", "subfolder") if key in kwargs}
        config = AutoConfig.from_pretrained(pretrained_model_name_or_path, **where)
        for made in (modeling.ChineseCLIPModel, modeling.ChineseCLIPTextModel, modeling.ChineseCLIPVisionModel):
            if type(config) is made.config_class:
                return made.from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        raise ValueError(f"model_type: {config.model_type!r} is none of Chinese-CLIP's")
