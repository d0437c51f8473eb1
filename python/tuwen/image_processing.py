"""ChineseCLIPImageProcessor: from pictures to pixel_values."""
from __future__ import annotations

import copy
import json
import os
import warnings
from typing import Any

import numpy as np

from . import _native, image_transforms
from ._batch import BatchFeature
from ._frameworks import TensorType, framework_of, to_framework
from ._hub import find_directory
from .image_utils import (
    ChannelDimension, PILImageResampling, as_pixels, channel_values, infer_layout, is_decoded, list_of_images, size_dict,
    to_array,
)

OPENAI_CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
OPENAI_CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
CONFIG_NAME = "preprocessor_config.json"


class ChineseCLIPImageProcessor:
    """Resizes, crops, rescales and normalises pictures. Every option can be given again for a call."""

    model_input_names = ["pixel_values"]

    def __init__(
        self,
        do_resize: bool = True,
        size: Any = None,
        resample: int = PILImageResampling.BICUBIC,
        do_center_crop: bool = True,
        crop_size: Any = None,
        do_rescale: bool = True,
        rescale_factor: float = 1 / 255,
        do_normalize: bool = True,
        image_mean: float | list[float] | None = None,
        image_std: float | list[float] | None = None,
        do_convert_rgb: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("feature_extractor_type", None)
        self._processor_class = kwargs.pop("processor_class", None)
        for name, value in kwargs.items():
            setattr(self, name, value)
        self.do_resize = do_resize
        self.size = size_dict({"shortest_edge": 224} if size is None else size, "size", default_to_square=False)
        self.resample = resample
        self.do_center_crop = do_center_crop
        self.crop_size = size_dict(224 if crop_size is None else crop_size, "crop_size", default_to_square=True)
        self.do_rescale = do_rescale
        self.rescale_factor = rescale_factor
        self.do_normalize = do_normalize
        self.image_mean = OPENAI_CLIP_MEAN if image_mean is None else image_mean
        self.image_std = OPENAI_CLIP_STD if image_std is None else image_std
        self.do_convert_rgb = do_convert_rgb

    def __call__(self, images: Any, **kwargs: Any) -> BatchFeature:
        return self.preprocess(images, **kwargs)

    def preprocess(
        self,
        images: Any,
        do_resize: bool | None = None,
        size: Any = None,
        resample: int | None = None,
        do_center_crop: bool | None = None,
        crop_size: Any = None,
        do_rescale: bool | None = None,
        rescale_factor: float | None = None,
        do_normalize: bool | None = None,
        image_mean: float | list[float] | None = None,
        image_std: float | list[float] | None = None,
        do_convert_rgb: bool | None = None,
        return_tensors: str | TensorType | None = None,
        data_format: str | ChannelDimension | None = ChannelDimension.FIRST,
        input_data_format: str | ChannelDimension | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """pixel_values of one picture or several: paths, PIL images, arrays or tensors of either layout.

        `input_data_format` is taken from the first picture when it is not given; "none" says that arrays are
        [height, width]. `data_format` None keeps the layout of the input."""
        pick = lambda given, own: own if given is None else given  # noqa: E731
        target_size = size_dict(pick(size, self.size), "size", default_to_square=False)
        target_crop = size_dict(pick(crop_size, self.crop_size), "crop_size", default_to_square=True)
        pictures = list_of_images(images)
        rescales, normalizes = pick(do_rescale, self.do_rescale), pick(do_normalize, self.do_normalize)
        factor, mean, std = (
            pick(given, own)
            for given, own in (
                (rescale_factor, self.rescale_factor), (image_mean, self.image_mean), (image_std, self.image_std)
            )
        )
        if rescales and factor is None:
            raise ValueError("Rescale factor must be specified if do_rescale is True.")
        if normalizes and (mean is None or std is None):
            raise ValueError("Image mean and std must be specified if do_normalize is True.")
        convert = pick(do_convert_rgb, self.do_convert_rgb)
        arrays = [to_array(image, convert) for image in pictures]
        if input_data_format is None and is_decoded(pictures[0]):
            input_data_format = ChannelDimension.LAST
        arrays, layout = _channels_last(arrays, input_data_format, convert)
        steps = _Steps(
            size=target_size if pick(do_resize, self.do_resize) else None,
            resample=pick(resample, self.resample),
            crop=target_crop if pick(do_center_crop, self.do_center_crop) else None,
            rescale_factor=factor if rescales else None,
            mean=mean if normalizes else None,
            std=std if normalizes else None,
        )
        framework = framework_of(return_tensors)
        target = layout if data_format is None else ChannelDimension(data_format)
        if target == ChannelDimension.NONE:
            raise ValueError("data_format: \"none\" is for input_data_format alone")
        pixel_values = steps.run(arrays, target == ChannelDimension.LAST)
        if framework is None:
            return BatchFeature({"pixel_values": list(pixel_values)})
        if isinstance(pixel_values, list):
            return BatchFeature({"pixel_values": pixel_values}, tensor_type=framework)
        return BatchFeature({"pixel_values": to_framework(pixel_values, framework)})

    # ---- Files

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Any:
        """Of a directory, a preprocessor_config.json, or a model id that lies in the local Hugging Face cache."""
        options, kwargs = cls.get_image_processor_dict(pretrained_model_name_or_path, **kwargs)
        return cls.from_dict(options, **kwargs)

    @classmethod
    def get_image_processor_dict(cls, name_or_path: str | os.PathLike[str], **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        where = {key: kwargs.pop(key) for key in ("cache_dir", "revision", "subfolder") if key in kwargs}
        for ignored in ("force_download", "resume_download", "proxies", "token", "use_auth_token", "local_files_only"):
            kwargs.pop(ignored, None)
        path = os.fspath(name_or_path)
        if not os.path.isfile(path):
            path = os.path.join(find_directory(path, **where), CONFIG_NAME)
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file), kwargs
        except FileNotFoundError as error:
            raise OSError(f"{path}: there is no such file") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise OSError(f"It looks like the config file at '{path}' is not a valid JSON file.") from error

    @classmethod
    def from_dict(cls, image_processor_dict: dict[str, Any], **kwargs: Any) -> Any:
        options = dict(image_processor_dict)
        return_unused = kwargs.pop("return_unused_kwargs", False)
        for name in ("size", "crop_size"):
            if name in kwargs and name in options:
                options[name] = kwargs.pop(name)
        processor = cls(**options)
        for key in [key for key in kwargs if hasattr(processor, key)]:
            setattr(processor, key, kwargs.pop(key))
        return (processor, kwargs) if return_unused else processor

    def to_dict(self) -> dict[str, Any]:
        return {**copy.deepcopy(self.__dict__), "image_processor_type": type(self).__name__}

    def to_json_string(self) -> str:
        content = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in self.to_dict().items()}
        processor_class = content.pop("_processor_class", None)
        if processor_class is not None:
            content["processor_class"] = processor_class
        return json.dumps(content, indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> list[str]:
        if os.path.isfile(save_directory):
            raise AssertionError(f"Provided path ({save_directory}) should be a directory, not a file")
        os.makedirs(save_directory, exist_ok=True)
        path = os.path.join(save_directory, CONFIG_NAME)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.to_json_string())
        return [path]

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


class ChineseCLIPFeatureExtractor(ChineseCLIPImageProcessor):
    """The image processor by its old name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            "The class ChineseCLIPFeatureExtractor is deprecated; use ChineseCLIPImageProcessor instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(*args, **kwargs)


def _channels_last(
    arrays: list[np.ndarray], given: str | ChannelDimension | None, convert_rgb: bool
) -> tuple[list[np.ndarray], ChannelDimension]:
    """All as [height, width, channels], by the layout given or that of the first."""
    layout = infer_layout(arrays[0]) if given is None else ChannelDimension(given)
    if layout == ChannelDimension.NONE:
        for array in arrays:
            if array.ndim != 2:
                raise ValueError(f"input_data_format: \"none\" is for images [height, width], got {array.ndim} dimensions")
        return [np.repeat(a[..., None], 3 if convert_rgb else 1, axis=2) for a in arrays], ChannelDimension.LAST
    for array in arrays:
        if array.ndim != 3:
            raise ValueError(f"Unsupported number of image dimensions: {array.ndim}")
    return (arrays if layout == ChannelDimension.LAST else [a.transpose(1, 2, 0) for a in arrays]), layout


class _Steps:
    """What a call does; None for steps that are off."""

    def __init__(self, size: Any, resample: int | None, crop: Any, rescale_factor: Any, mean: Any, std: Any) -> None:
        self.resample = int(PILImageResampling.BILINEAR if resample is None else resample)
        if size is not None and not 0 <= self.resample <= 5:
            raise ValueError(f"Unknown resampling filter ({resample}): use 0 to 5")
        self.size = self.edges = self.crop = None
        if size is not None and "shortest_edge" in size:
            self.edges = (as_pixels(size["shortest_edge"], "size"), as_pixels(size.get("longest_edge") or 0, "size"))
        elif size is not None:
            self.size = (as_pixels(size["height"], "size"), as_pixels(size["width"], "size"))
        if crop is not None:
            if "height" not in crop or "width" not in crop:
                raise ValueError(f"The size dictionary must have keys 'height' and 'width'. Got {crop.keys()}")
            self.crop = (int(crop["height"]), int(crop["width"]))
        self.rescale_factor, self.mean, self.std = rescale_factor, mean, std

    def run(self, images: list[np.ndarray], channels_last: bool) -> np.ndarray | list[np.ndarray]:
        """One array where all come out at one size by way of the compiled path, else a list."""
        if not all(image.dtype == np.uint8 and image.shape[2] == 3 for image in images):
            return [self._run_array(image, channels_last) for image in images]
        pictures = [_native.Image.from_pixels(np.ascontiguousarray(image)) for image in images]
        one_size = self.size is not None or self.crop is not None or len({image.shape for image in images}) == 1
        if one_size:
            return self._run_native(pictures, channels_last)
        return [self._run_native([picture], channels_last)[0] for picture in pictures]

    def _run_native(self, pictures: list[Any], channels_last: bool) -> np.ndarray:
        normalize = self.mean is not None
        out = _native.preprocess(
            pictures, size=self.size, edges=self.edges, crop=self.crop, rescale_factor=self.rescale_factor,
            mean=channel_values(self.mean, 3, "mean") if normalize else None,
            std=channel_values(self.std, 3, "std") if normalize else None,
            resample=self.resample, channels_last=channels_last,
        )
        return out.astype(np.uint8) if self.rescale_factor is None and not normalize else out

    def _run_array(self, image: np.ndarray, channels_last: bool) -> np.ndarray:
        if self.size is not None or self.edges is not None:
            image = image_transforms.resize(image, *(self.size or (0, 0)), self.edges, self.resample)
        if self.crop is not None:
            image = image_transforms.center_crop(image, *self.crop)
        if self.rescale_factor is not None:
            image = image_transforms.rescale(image, self.rescale_factor)
        if self.mean is not None:
            channels = image.shape[2]
            image = image_transforms.normalize(
                image, channel_values(self.mean, channels, "mean"), channel_values(self.std, channels, "std")
            )
        return image if channels_last else image.transpose(2, 0, 1)
