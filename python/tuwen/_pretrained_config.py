"""The part of a configuration that all models share: attributes, dictionaries, files."""
from __future__ import annotations

import copy
import json
import os
import warnings
from typing import TYPE_CHECKING, Any

from ._hub import find_directory

# The release whose files, fields and defaults these classes have.
FORMAT_VERSION = "4.37.2"

_ATTRIBUTES: dict[str, Any] = {
    "return_dict": True,
    "output_hidden_states": False,
    "output_attentions": False,
    "torchscript": False,
    "torch_dtype": None,
    "use_bfloat16": False,
    "tf_legacy_loss": False,
    "pruned_heads": {},
    "tie_word_embeddings": True,
    "chunk_size_feed_forward": 0,
    "is_encoder_decoder": False,
    "is_decoder": False,
    "cross_attention_hidden_size": None,
    "add_cross_attention": False,
    "tie_encoder_decoder": False,
}
_GENERATION: dict[str, Any] = {
    "max_length": 20,
    "min_length": 0,
    "do_sample": False,
    "early_stopping": False,
    "num_beams": 1,
    "num_beam_groups": 1,
    "diversity_penalty": 0.0,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "typical_p": 1.0,
    "repetition_penalty": 1.0,
    "length_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "bad_words_ids": None,
    "num_return_sequences": 1,
    "output_scores": False,
    "return_dict_in_generate": False,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "remove_invalid_values": False,
    "exponential_decay_length_penalty": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
}
_TOKENIZER_AND_TASK = {
    "tokenizer_class": None,
    "prefix": None,
    "bos_token_id": None,
    "pad_token_id": None,
    "eos_token_id": None,
    "sep_token_id": None,
    "decoder_start_token_id": None,
    "task_specific_params": None,
    "problem_type": None,
}
_PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")
_NEVER_SAVED = ("_auto_class", "_commit_hash", "_attn_implementation_internal")


class PretrainedConfig:
    """A bag of attributes with defaults. Keywords that no field has are kept as attributes."""

    model_type = ""
    is_composition = False
    pruned_heads: dict[int, list[int]]

    if TYPE_CHECKING:  # attributes come from tables and files

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, **kwargs: Any) -> None:
        for name, default in {**_ATTRIBUTES, **_GENERATION}.items():
            setattr(self, name, kwargs.pop(name, copy.copy(default)))
        self.architectures = kwargs.pop("architectures", None)
        self.finetuning_task = kwargs.pop("finetuning_task", None)
        self._set_labels(kwargs)
        for name, default in _TOKENIZER_AND_TASK.items():
            setattr(self, name, kwargs.pop(name, default))
        if self.problem_type is not None and self.problem_type not in _PROBLEM_TYPES:
            raise ValueError(
                f"The config parameter `problem_type` was not understood: received {self.problem_type} "
                "but only 'regression', 'single_label_classification' and 'multi_label_classification' are valid."
            )
        kwargs.pop("xla_device", None)
        self._name_or_path = str(kwargs.pop("name_or_path", ""))
        self._commit_hash = kwargs.pop("_commit_hash", None)
        self._attn_implementation_internal = kwargs.pop("attn_implementation", None)
        self.transformers_version = kwargs.pop("transformers_version", None)
        for name, value in kwargs.items():
            setattr(self, name, value)

    def _set_labels(self, kwargs: dict[str, Any]) -> None:
        id2label = kwargs.pop("id2label", None)
        self.label2id = kwargs.pop("label2id", None)
        count = kwargs.pop("num_labels", None)
        for name, value in (("label2id", self.label2id), ("id2label", id2label)):
            if value is not None and not isinstance(value, dict):
                raise ValueError(f"Argument {name} should be a dictionary.")
        self.id2label = None if id2label is None else {int(key): value for key, value in id2label.items()}
        if self.id2label is None:
            self.num_labels = 2 if count is None else count

    @property
    def name_or_path(self) -> str:
        return self._name_or_path

    @name_or_path.setter
    def name_or_path(self, value: str) -> None:
        self._name_or_path = str(value)

    @property
    def use_return_dict(self) -> bool:
        return self.return_dict and not self.torchscript

    @property
    def num_labels(self) -> int:
        return len(self.id2label or {})

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        if self.id2label is None or len(self.id2label) != count:
            self.id2label = {i: f"LABEL_{i}" for i in range(count)}
            self.label2id = {label: i for i, label in self.id2label.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PretrainedConfig) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.__class__.__name__} {self.to_json_string()}"

    # ---- Dictionaries and text

    def to_dict(self) -> dict[str, Any]:
        """All attributes."""
        output = {key: copy.deepcopy(value) for key, value in self.__dict__.items() if key not in _NEVER_SAVED}
        if self.model_type or type(self) is PretrainedConfig:
            output["model_type"] = self.model_type
        output["transformers_version"] = FORMAT_VERSION
        for key, value in output.items():
            if isinstance(value, PretrainedConfig):
                output[key] = {k: v for k, v in value.to_dict().items() if k != "transformers_version"}
        return _with_dtype_names(output)

    def to_diff_dict(self) -> dict[str, Any]:
        """The attributes that differ from the defaults of all models, and those of this model's own."""
        everyones = PretrainedConfig().to_dict()
        own = {} if self.is_composition else type(self)().to_dict()
        diff: dict[str, Any] = {}
        for key, value in self.to_dict().items():
            attribute = getattr(self, key, None)
            if isinstance(attribute, PretrainedConfig) and isinstance(own.get(key), dict):
                part = _nested_diff(value, own[key], type(attribute)().to_dict())
                if "model_type" in value:
                    part["model_type"] = value["model_type"]
                if part:
                    diff[key] = part
            elif (
                key not in everyones
                or key == "transformers_version"
                or value != everyones[key]
                or (key in own and value != own[key])
            ):
                diff[key] = value
        return diff

    def to_json_string(self, use_diff: bool = True) -> str:
        content = self.to_diff_dict() if use_diff else self.to_dict()
        return json.dumps(content, indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike[str], use_diff: bool = True) -> None:
        with open(json_file_path, "w", encoding="utf-8") as file:
            file.write(self.to_json_string(use_diff))

    def update(self, config_dict: dict[str, Any]) -> None:
        for key, value in config_dict.items():
            setattr(self, key, value)

    # ---- Making one

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Keywords that are attributes override the dictionary's; with return_unused_kwargs the others come back."""
        return_unused = kwargs.pop("return_unused_kwargs", False)
        kwargs.pop("_from_auto", None)
        kwargs.pop("_from_pipeline", None)
        config = cls(**{**config_dict, "attn_implementation": kwargs.pop("attn_implementation", None)})
        config.pruned_heads = {int(layer): heads for layer, heads in config.pruned_heads.items()}
        if "num_labels" in kwargs and "id2label" in kwargs and len(kwargs["id2label"] or []) != kwargs["num_labels"]:
            raise ValueError(
                f"You passed along `num_labels={kwargs['num_labels']}` with an incompatible id to label map: "
                f"{kwargs['id2label']}. Since those arguments are inconsistent with each other, you should remove one "
                "of them."
            )
        for key in [key for key in kwargs if hasattr(config, key)]:
            value, current = kwargs[key], getattr(config, key)
            if isinstance(current, PretrainedConfig) and isinstance(value, dict):
                value = type(current)(**value)
            setattr(config, key, value)
            if key != "torch_dtype":
                del kwargs[key]
        return (config, kwargs) if return_unused else config

    @classmethod
    def from_json_file(cls, json_file: str | os.PathLike[str]) -> Any:
        return cls(**_read_json(json_file))

    @classmethod
    def get_config_dict(cls, name_or_path: str | os.PathLike[str], **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The content of config.json, and the keywords that do not say where it is."""
        where = {key: kwargs.pop(key) for key in ("cache_dir", "revision", "subfolder") if key in kwargs}
        for ignored in ("force_download", "resume_download", "proxies", "token", "use_auth_token",
                        "local_files_only", "trust_remote_code"):
            kwargs.pop(ignored, None)
        path = os.fspath(name_or_path)
        if not os.path.isfile(path):
            path = os.path.join(find_directory(path, **where), "config.json")
        return _read_json(path), kwargs

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Any:
        """Of a directory, a config.json, or a model id that lies in the local Hugging Face cache."""
        config_dict, kwargs = cls.get_config_dict(pretrained_model_name_or_path, **kwargs)
        config_dict = cls._own_part(config_dict)
        stored_type = config_dict.get("model_type", cls.model_type)
        if cls.model_type and stored_type != cls.model_type:
            warnings.warn(
                f"You are using a model of type {stored_type} to instantiate a model of type {cls.model_type}. This is "
                "not supported for all configurations of models and can yield errors.",
                stacklevel=2,
            )
        return cls.from_dict(config_dict, **kwargs)

    @classmethod
    def _own_part(cls, config_dict: dict[str, Any]) -> dict[str, Any]:
        """What of a file is for this class: a tower's configuration out of a full one."""
        return config_dict

    def save_pretrained(self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any) -> None:
        if os.path.isfile(save_directory):
            raise AssertionError(f"Provided path ({save_directory}) should be a directory, not a file")
        if push_to_hub:
            raise ValueError("push_to_hub: tuwen does not use the network; upload with huggingface-cli")
        os.makedirs(save_directory, exist_ok=True)
        self.to_json_file(os.path.join(save_directory, "config.json"))


def _read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError as error:
        raise OSError(f"{path}: there is no such file") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise OSError(f"It looks like the config file at '{path}' is not a valid JSON file.") from error


def _with_dtype_names(config: dict[str, Any]) -> dict[str, Any]:
    """torch.float16 becomes "float16", at any depth."""
    dtype = config.get("torch_dtype")
    if dtype is not None and not isinstance(dtype, str):
        config["torch_dtype"] = str(dtype).rsplit(".", 1)[-1]
    for value in config.values():
        if isinstance(value, dict):
            _with_dtype_names(value)
    return config


def _nested_diff(values: dict[str, Any], defaults: dict[str, Any], class_defaults: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in values.items()
        if key not in defaults or value != defaults[key] or key not in class_defaults or value != class_defaults[key]
    }
