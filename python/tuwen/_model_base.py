"""What the three models share: making, loading, saving, and what of torch.nn.Module makes sense without training."""
from __future__ import annotations

import json
import math
import os
import sys
import warnings
from collections import OrderedDict
from typing import Any

from ._arrays import floats, returned
from ._hub import find_directory
from ._native import Checkpoint, missing_for
from ._pretrained_config import PretrainedConfig
from .configuration import check_activation

# Of from_pretrained: where the files are, and what has no meaning for a runtime that neither downloads nor trains.
_WHERE = ("cache_dir", "revision", "subfolder")
_IGNORED = (
    "force_download", "resume_download", "proxies", "token", "use_auth_token", "local_files_only", "trust_remote_code",
    "low_cpu_mem_usage", "device_map", "use_safetensors", "ignore_mismatched_sizes", "attn_implementation", "variant",
    "offload_folder",
)
_DTYPES = ("float32", "bfloat16", "float16", "int8", "float8_e4m3fn")


class PreTrainedModel:
    """An immutable model on the CPU or a CUDA device. Any number of threads may call it; calls wait for each other.

    On a device inputs may be anywhere; results are arrays, or tensors, on the CPU."""

    config_class: Any = PretrainedConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    training = False

    def __init__(
        self,
        config: Any,
        *,
        seed: int | None = None,
        dtype: Any = None,
        threads: int = 0,
        device: Any = "cpu",
        plan: str = "exact",
        add_pooling_layer: bool = True,
    ) -> None:
        """With random weights, drawn as the reference draws them; the same seed gives the same ones."""
        if not isinstance(config, self.config_class):
            raise ValueError(
                f"Parameter config in `{type(self).__name__}(config)` should be an instance of class "
                f"`{self.config_class.__name__}`. To create a model from a pretrained model use "
                f"`model = {type(self).__name__}.from_pretrained(PRETRAINED_MODEL_NAME)`"
            )
        _check_config(config)
        seed = int.from_bytes(os.urandom(8), "little") if seed is None else int(seed)
        checkpoint = Checkpoint.random(_json(config), seed, add_pooling_layer)
        self._set_up(config, checkpoint, _dtype_name(dtype), threads, device, plan)

    def _set_up(self, config: Any, checkpoint: Checkpoint, dtype: str, threads: int, device: Any, plan: str) -> None:
        self.config = config
        self._checkpoint = checkpoint
        self._dtype = dtype
        self._threads = int(threads)
        self._device = _usable_device(device)
        self._plan = plan
        self._session = self._load(checkpoint)

    def _load(self, checkpoint: Checkpoint) -> Any:
        if self._dtype == "float16" and self._device == "cpu":
            raise ValueError("dtype: float16 is for CUDA devices, on the CPU expected float32, bfloat16 or int8")
        return checkpoint.load(self._dtype, self._threads, self._device, self._plan)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *,
        config: Any = None,
        state_dict: dict[str, Any] | None = None,
        dtype: Any = None,
        torch_dtype: Any = None,
        threads: int = 0,
        device: Any = "cpu",
        plan: str = "exact",
        **kwargs: Any,
    ) -> Any:
        """Of a directory, or a model id that lies in the local Hugging Face cache.

        `dtype` is "float32", "bfloat16", "int8", "float8_e4m3fn" or, on a CUDA device, "float16", `threads` 0 for all CPUs that this
        process may use, `device` "cpu", "cuda" or "cuda:N"; where there is no such device a warning says why, and the CPU is used.
        `plan` "fast" computes large float32 products of pictures by Strassen's algorithm on the CPU, and those of other types by
        cuBLASLt on a CUDA device where that measures faster, with more memory. Other keywords that are attributes of the
        configuration override it. With `state_dict` the weights are taken from there, and with a configuration object
        beside it the path may be None."""
        where = {key: kwargs.pop(key) for key in _WHERE if key in kwargs}
        for ignored in _IGNORED:
            kwargs.pop(ignored, None)
        directory = ""
        if pretrained_model_name_or_path is not None:
            directory = find_directory(pretrained_model_name_or_path, **where)
        elif state_dict is None or not isinstance(config, PretrainedConfig):
            raise ValueError("from_pretrained: without a path there have to be a config object and a state_dict")
        if config is None or isinstance(config, (str, os.PathLike)):
            config, kwargs = cls.config_class.from_pretrained(config or directory, return_unused_kwargs=True, **kwargs)
        config.name_or_path = os.fspath(pretrained_model_name_or_path or "")
        options = cls._model_options(kwargs)
        if kwargs:
            raise TypeError(f"{cls.__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'")
        _check_config(config)
        if state_dict is not None:
            arrays = {name: floats(value, f"state_dict[{name!r}]") for name, value in state_dict.items()}
            checkpoint = Checkpoint.create(_json(config), arrays)
        else:
            checkpoint = cls._own_part(Checkpoint.open(directory), options).with_config(_json(config))
        model = cls.__new__(cls)
        model._set_up(config, checkpoint, _dtype_name(dtype if dtype is not None else torch_dtype), threads, device, plan)
        return model

    @classmethod
    def _model_options(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Takes the keywords that are this class's own out of those given."""
        return {}

    @classmethod
    def _own_part(cls, checkpoint: Checkpoint, options: dict[str, Any]) -> Checkpoint:
        """The checkpoint of this class in one that may hold more."""
        return checkpoint

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """config.json and model.safetensors."""
        if os.path.isfile(save_directory):
            raise ValueError(f"Provided path ({save_directory}) should be a directory, not a file")
        if kwargs.get("push_to_hub"):
            raise ValueError("push_to_hub: tuwen does not use the network; upload with huggingface-cli")
        self._checkpoint.save(os.fspath(save_directory))
        self.config.architectures = [type(self).__name__]
        self.config.save_pretrained(save_directory)

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key not in ("_checkpoint", "_session")}
        return {**state, "tensors": {name: self._checkpoint.read(name) for name in self._checkpoint.names()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        tensors = state.pop("tensors")
        self.__dict__.update(state)
        self._checkpoint = Checkpoint.create(_json(self.config), tensors)
        self._device = _usable_device(self._device)  # there may be none where this is read
        self._session = self._load(self._checkpoint)

    # ---- What of torch.nn.Module a model without training has

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def eval(self) -> Any:
        return self

    def train(self, mode: bool = True) -> Any:
        if mode:
            raise NotImplementedError("tuwen runs models and does not train them")
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        return self.train(requires_grad)

    def to(self, *args: Any, device: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """Another dtype or device makes the model anew of its weights."""
        for value in args:
            if _is_dtype(value):
                dtype = value
            elif value is not None:
                device = value
        before = self._dtype, self._device
        try:
            if dtype is not None:
                self._dtype = _dtype_name(dtype)
            if device is not None:
                self._device = _usable_device(device)
            if (self._dtype, self._device) != before:
                self._session = self._load(self._checkpoint)
        except BaseException:
            self._dtype, self._device = before
            raise
        return self

    def cpu(self) -> Any:
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Any:
        return self.to("cuda" if device is None else device)

    def float(self) -> Any:
        return self.to(dtype="float32")

    def bfloat16(self) -> Any:
        return self.to(dtype="bfloat16")

    def half(self) -> Any:
        """On a CUDA device alone."""
        return self.to(dtype="float16")

    @property
    def device(self) -> Any:
        torch = sys.modules.get("torch")
        return torch.device(self._device) if torch is not None else self._device

    @property
    def dtype(self) -> Any:
        torch = sys.modules.get("torch")
        return getattr(torch, self._dtype) if torch is not None else self._dtype

    @property
    def name_or_path(self) -> str:
        return self.config.name_or_path

    def state_dict(self) -> OrderedDict[str, Any]:
        """All weights as float32, in transformers' names: tensors where torch is imported, else arrays."""
        as_torch = "torch" in sys.modules
        return OrderedDict((name, returned(self._checkpoint.read(name), as_torch)) for name in self._checkpoint.names())

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        kept = (n for n in self._checkpoint.names() if not (exclude_embeddings and n.endswith("embeddings.weight")))
        return sum(math.prod(self._checkpoint.shape(name)) for name in kept)

    def prune_heads(self, heads_to_prune: dict[int, list[int]]) -> None:
        """Takes attention heads out of the text tower, by their numbers before any were pruned."""
        pairs = [(int(layer), int(head)) for layer, heads in heads_to_prune.items() for head in heads]
        pruned = self._checkpoint.prune_heads([layer for layer, _ in pairs], [head for _, head in pairs])
        session = self._load(pruned)
        self._text_config().pruned_heads = _pruned_heads(json.loads(pruned.config))
        self._checkpoint, self._session = pruned, session

    def _text_config(self) -> Any:
        return self.config

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num_parameters():,} parameters, {self._dtype})"


def _pruned_heads(config: dict[str, Any]) -> dict[int, list[int]]:
    own = config["text_config"] if config.get("model_type") == "chinese_clip" else config
    return {int(layer): sorted(heads) for layer, heads in own.get("pruned_heads", {}).items()}


def _json(config: Any) -> str:
    return json.dumps(config.to_dict())


def _check_config(config: Any) -> None:
    """What the reference says when it makes the layers; the rest the compiled part checks."""
    for part in (getattr(config, "text_config", config), getattr(config, "vision_config", config)):
        check_activation(part.hidden_act)
        heads, width = part.num_attention_heads, part.hidden_size
        if not heads or width % heads != 0:
            raise ValueError(
                f"The hidden size ({width}) is not a multiple of the number of attention heads ({heads}) "
                "(num_attention_heads)"
            )


def _is_dtype(value: Any) -> bool:
    return value in _DTYPES or type(value).__module__ == "torch" and type(value).__name__ == "dtype"


def _dtype_name(dtype: Any) -> str:
    name = "float32" if dtype is None or dtype == "auto" else str(dtype).rsplit(".", 1)[-1]
    if name not in _DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(_DTYPES)}, got {dtype}")
    return name


def _usable_device(device: Any) -> str:
    """The name of a device, or "cpu" and a warning where it is missing. A number is a CUDA device's, as in torch."""
    name = f"cuda:{device}" if isinstance(device, int) else str(device)
    kind, _, number = name.partition(":")
    if kind == "cpu":
        return "cpu"
    if kind == "cuda":
        name = f"cuda:{number or 0}"
    missing = missing_for(name)  # a ValueError where it is no device's name
    if missing:
        warnings.warn(f"{missing}; the model is on the CPU", RuntimeWarning, stacklevel=4)
        return "cpu"
    return name
