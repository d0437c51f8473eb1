"""Chinese-CLIP: the classes of transformers' documentation page on a C++ runtime.

    from tuwen import ChineseCLIPModel, ChineseCLIPProcessor
"""
from ._batch import BatchFeature
from ._encoding import BatchEncoding
from ._frameworks import TensorType
from ._native import __version__
from ._pretrained_config import PretrainedConfig
from .auto import AutoConfig, AutoFeatureExtractor, AutoImageProcessor, AutoProcessor, AutoTokenizer
from .configuration import ChineseCLIPConfig, ChineseCLIPTextConfig, ChineseCLIPVisionConfig
from .image_processing import ChineseCLIPFeatureExtractor, ChineseCLIPImageProcessor
from .image_utils import ChannelDimension, PILImageResampling, load_image
from .outputs import BaseModelOutputWithPooling, BaseModelOutputWithPoolingAndCrossAttentions, ChineseCLIPOutput, ModelOutput
from .processing import ChineseCLIPProcessor, CLIPProcessor
from .tokenization import BertTokenizerFast

BertTokenizer = BertTokenizerFast

__all__ = [
    "AutoConfig",
    "AutoFeatureExtractor",
    "AutoImageProcessor",
    "AutoProcessor",
    "AutoTokenizer",
    "BaseModelOutputWithPooling",
    "BaseModelOutputWithPoolingAndCrossAttentions",
    "BatchEncoding",
    "BatchFeature",
    "BertTokenizer",
    "BertTokenizerFast",
    "CLIPProcessor",
    "ChannelDimension",
    "ChineseCLIPConfig",
    "ChineseCLIPFeatureExtractor",
    "ChineseCLIPImageProcessor",
    "ChineseCLIPOutput",
    "ChineseCLIPProcessor",
    "ChineseCLIPTextConfig",
    "ChineseCLIPVisionConfig",
    "ModelOutput",
    "PILImageResampling",
    "PretrainedConfig",
    "TensorType",
    "__version__",
    "load_image",
]
