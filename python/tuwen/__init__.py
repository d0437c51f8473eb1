"""Chinese-CLIP: the classes of transformers' documentation page on a C++ runtime.

    from tuwen import ChineseCLIPModel, ChineseCLIPProcessor

A name is imported when it is first used, so that `import tuwen` costs next to nothing.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._batch import BatchFeature as BatchFeature
    from ._encoding import BatchEncoding as BatchEncoding
    from ._frameworks import TensorType as TensorType
    from ._native import __version__ as __version__  # type: ignore[attr-defined]
    from ._pretrained_config import PretrainedConfig as PretrainedConfig
    from .auto import (
        AutoConfig as AutoConfig,
        AutoFeatureExtractor as AutoFeatureExtractor,
        AutoImageProcessor as AutoImageProcessor,
        AutoModel as AutoModel,
        AutoProcessor as AutoProcessor,
        AutoTokenizer as AutoTokenizer,
    )
    from .configuration import (
        ChineseCLIPConfig as ChineseCLIPConfig,
        ChineseCLIPTextConfig as ChineseCLIPTextConfig,
        ChineseCLIPVisionConfig as ChineseCLIPVisionConfig,
    )
    from .image_processing import (
        ChineseCLIPFeatureExtractor as ChineseCLIPFeatureExtractor,
        ChineseCLIPImageProcessor as ChineseCLIPImageProcessor,
    )
    from .image_utils import (
        ChannelDimension as ChannelDimension,
        PILImageResampling as PILImageResampling,
        load_image as load_image,
    )
    from .modeling import (
        ChineseCLIPModel as ChineseCLIPModel,
        ChineseCLIPTextModel as ChineseCLIPTextModel,
        ChineseCLIPVisionModel as ChineseCLIPVisionModel,
    )
    from .outputs import (
        BaseModelOutputWithPooling as BaseModelOutputWithPooling,
        BaseModelOutputWithPoolingAndCrossAttentions as BaseModelOutputWithPoolingAndCrossAttentions,
        ChineseCLIPOutput as ChineseCLIPOutput,
        ModelOutput as ModelOutput,
    )
    from .processing import ChineseCLIPProcessor as ChineseCLIPProcessor, CLIPProcessor as CLIPProcessor
    from .tokenization import BertTokenizer as BertTokenizer, BertTokenizerFast as BertTokenizerFast

_MODULES = {
    "_batch": ("BatchFeature",),
    "_encoding": ("BatchEncoding",),
    "_frameworks": ("TensorType",),
    "_native": ("__version__",),
    "_pretrained_config": ("PretrainedConfig",),
    "auto": (
        "AutoConfig",
        "AutoFeatureExtractor",
        "AutoImageProcessor",
        "AutoModel",
        "AutoProcessor",
        "AutoTokenizer",
    ),
    "configuration": ("ChineseCLIPConfig", "ChineseCLIPTextConfig", "ChineseCLIPVisionConfig"),
    "image_processing": ("ChineseCLIPFeatureExtractor", "ChineseCLIPImageProcessor"),
    "image_utils": ("ChannelDimension", "PILImageResampling", "load_image"),
    "modeling": ("ChineseCLIPModel", "ChineseCLIPTextModel", "ChineseCLIPVisionModel"),
    "outputs": (
        "BaseModelOutputWithPooling",
        "BaseModelOutputWithPoolingAndCrossAttentions",
        "ChineseCLIPOutput",
        "ModelOutput",
    ),
    "processing": ("ChineseCLIPProcessor", "CLIPProcessor"),
    "tokenization": ("BertTokenizer", "BertTokenizerFast"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
