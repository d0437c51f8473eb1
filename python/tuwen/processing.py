"""ChineseCLIPProcessor: image processor and tokenizer in one."""
from __future__ import annotations

import os
import warnings
from typing import Any

from ._encoding import BatchEncoding
from .image_processing import ChineseCLIPImageProcessor
from .tokenization import BertTokenizerFast


class ChineseCLIPProcessor:
    """Texts and pictures to what the models take."""

    attributes = ["image_processor", "tokenizer"]
    image_processor_class = "ChineseCLIPImageProcessor"
    tokenizer_class = ("BertTokenizer", "BertTokenizerFast")

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, **kwargs: Any) -> None:
        if "feature_extractor" in kwargs:
            warnings.warn("The `feature_extractor` argument is deprecated, use `image_processor` instead.", FutureWarning,
                          stacklevel=2)
            image_processor = image_processor if image_processor is not None else kwargs.pop("feature_extractor")
        if image_processor is None:
            raise ValueError("You need to specify an `image_processor`.")
        if tokenizer is None:
            raise ValueError("You need to specify a `tokenizer`.")
        if not isinstance(image_processor, ChineseCLIPImageProcessor):
            raise ValueError(f"Received a {type(image_processor).__name__} for argument image_processor, but a "
                             "ChineseCLIPImageProcessor was expected.")
        if not isinstance(tokenizer, BertTokenizerFast):
            raise ValueError(f"Received a {type(tokenizer).__name__} for argument tokenizer, but a BertTokenizerFast was "
                             "expected.")
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.current_processor = image_processor

    def __call__(self, text: Any = None, images: Any = None, return_tensors: Any = None, **kwargs: Any) -> BatchEncoding:
        """Token rows of texts and pixel_values of pictures; other keywords go to both parts."""
        if text is None and images is None:
            raise ValueError("You have to specify either text or images. Both cannot be none.")
        encoding = None
        if text is not None:
            encoding = self.tokenizer(text, return_tensors=return_tensors, **kwargs)
        if images is None:
            return encoding  # type: ignore[return-value]
        pictures = self.image_processor(images, return_tensors=return_tensors, **kwargs)
        if encoding is None:
            return BatchEncoding(dict(pictures), tensor_type=return_tensors)
        encoding["pixel_values"] = pictures["pixel_values"]
        return encoding

    def batch_decode(self, *args: Any, **kwargs: Any) -> list[str]:
        return self.tokenizer.batch_decode(*args, **kwargs)

    def decode(self, *args: Any, **kwargs: Any) -> str:
        return self.tokenizer.decode(*args, **kwargs)

    @property
    def model_input_names(self) -> list[str]:
        return list(dict.fromkeys([*self.tokenizer.model_input_names, *self.image_processor.model_input_names]))

    @property
    def feature_extractor_class(self) -> str:
        warnings.warn("`feature_extractor_class` is deprecated. Use `image_processor_class` instead.", FutureWarning, stacklevel=2)
        return self.image_processor_class

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Any:
        """Of a directory, or a model id that lies in the local Hugging Face cache."""
        image_processor = ChineseCLIPImageProcessor.from_pretrained(pretrained_model_name_or_path, **kwargs)
        return cls(image_processor, BertTokenizerFast.from_pretrained(pretrained_model_name_or_path, **kwargs))

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> list[str]:
        os.makedirs(save_directory, exist_ok=True)
        self.image_processor._processor_class = type(self).__name__
        return [*self.tokenizer.save_pretrained(save_directory), *self.image_processor.save_pretrained(save_directory)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}:\n- image_processor: {self.image_processor!r}\n- tokenizer: {self.tokenizer!r}\n"


CLIPProcessor = ChineseCLIPProcessor
