"""ChineseCLIPConfig and the configurations of its two towers."""
from __future__ import annotations

from typing import Any, Callable

from ._pretrained_config import PretrainedConfig

# The names that the reference knows, and selu, which its documentation promises.
ACTIVATIONS = (
    "gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "laplace",
    "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6", "selu", "sigmoid", "silu", "swish", "tanh",
)


def check_activation(hidden_act: str | Callable[..., Any]) -> None:
    """What a model does with the name when it is made: KeyError for an unknown one, TypeError for a function."""
    if callable(hidden_act):
        raise TypeError(f"hidden_act: a function cannot run inside the compiled model; name one of {', '.join(ACTIVATIONS)}")
    if hidden_act not in ACTIVATIONS:
        raise KeyError(f"hidden_act: {hidden_act!r} is unknown, expected one of {', '.join(ACTIVATIONS)}")


class ChineseCLIPTextConfig(PretrainedConfig):
    """Of the text tower, a BERT."""

    model_type = "chinese_clip_text_model"

    def __init__(
        self,
        vocab_size: int = 30522,
        hidden_size: int = 768,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        intermediate_size: int = 3072,
        hidden_act: str = "gelu",
        hidden_dropout_prob: float = 0.1,
        attention_probs_dropout_prob: float = 0.1,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        initializer_range: float = 0.02,
        initializer_factor: float = 1.0,
        layer_norm_eps: float = 1e-12,
        pad_token_id: int = 0,
        position_embedding_type: str = "absolute",
        use_cache: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(pad_token_id=pad_token_id, **kwargs)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.hidden_act = hidden_act
        self.intermediate_size = intermediate_size
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.initializer_range = initializer_range
        self.initializer_factor = initializer_factor
        self.layer_norm_eps = layer_norm_eps
        self.position_embedding_type = position_embedding_type
        self.use_cache = use_cache

    @classmethod
    def _own_part(cls, config_dict: dict[str, Any]) -> dict[str, Any]:
        return config_dict["text_config"] if config_dict.get("model_type") == "chinese_clip" else config_dict


class ChineseCLIPVisionConfig(PretrainedConfig):
    """Of the image tower, a ViT."""

    model_type = "chinese_clip_vision_model"

    def __init__(
        self,
        hidden_size: int = 768,
        intermediate_size: int = 3072,
        projection_dim: int = 512,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        num_channels: int = 3,
        image_size: int = 224,
        patch_size: int = 32,
        hidden_act: str = "quick_gelu",
        layer_norm_eps: float = 1e-5,
        attention_dropout: float = 0.0,
        initializer_range: float = 0.02,
        initializer_factor: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.projection_dim = projection_dim
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.num_channels = num_channels
        self.patch_size = patch_size
        self.image_size = image_size
        self.initializer_range = initializer_range
        self.initializer_factor = initializer_factor
        self.attention_dropout = attention_dropout
        self.layer_norm_eps = layer_norm_eps
        self.hidden_act = hidden_act

    @classmethod
    def _own_part(cls, config_dict: dict[str, Any]) -> dict[str, Any]:
        return config_dict["vision_config"] if config_dict.get("model_type") == "chinese_clip" else config_dict


class ChineseCLIPConfig(PretrainedConfig):
    """Of both towers. `text_config` and `vision_config` are dictionaries; a missing key has its class's default."""

    model_type = "chinese_clip"

    def __init__(
        self,
        text_config: dict[str, Any] | None = None,
        vision_config: dict[str, Any] | None = None,
        projection_dim: int = 512,
        logit_scale_init_value: float = 2.6592,
        **kwargs: Any,
    ) -> None:
        legacy_text = kwargs.pop("text_config_dict", None)
        legacy_vision = kwargs.pop("vision_config_dict", None)
        super().__init__(**kwargs)
        self.text_config = ChineseCLIPTextConfig(**_merged(text_config, legacy_text, ChineseCLIPTextConfig))
        self.vision_config = ChineseCLIPVisionConfig(**_merged(vision_config, legacy_vision, ChineseCLIPVisionConfig))
        self.projection_dim = projection_dim
        self.logit_scale_init_value = logit_scale_init_value
        # Whatever the file says, as in the reference.
        self.initializer_factor = 1.0
        self.initializer_range = 0.02

    @classmethod
    def from_text_vision_configs(
        cls, text_config: ChineseCLIPTextConfig, vision_config: ChineseCLIPVisionConfig, **kwargs: Any
    ) -> ChineseCLIPConfig:
        return cls(text_config=text_config.to_dict(), vision_config=vision_config.to_dict(), **kwargs)


def _merged(given: dict[str, Any] | None, legacy: dict[str, Any] | None, cls: type[PretrainedConfig]) -> dict[str, Any]:
    """A `..._config_dict` of old files wins over the other with every key, those that it leaves to the defaults too."""
    merged = dict(given or {})
    if legacy is not None:
        merged.update(cls(**legacy).to_dict())
    return merged
