"""The image processor: pictures of every kind, every option, pixels equal to the last bit."""

import tempfile

import numpy as np
import torch
import transformers as reference
from PIL import Image

import tuwen

from .common import both, family, maybe, pick, same

MODES = ["RGB", "RGB", "RGB", "L", "RGBA", "P", "1", "CMYK", "LA", "YCbCr", "I", "F", "I;16"]


def side(rng, most=40):
    return int(rng.integers(4, most))


def pil_image(rng, mode=None):
    height, width = side(rng), side(rng)
    mode = mode or pick(rng, *MODES)
    noise = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    if mode in ("I", "F"):
        return Image.fromarray(noise[..., 0].astype(np.int32) * 3 - 100).convert(mode)
    if mode == "I;16":
        return Image.fromarray(noise[..., 0].astype(np.uint16) * 5)
    if mode == "RGBA":
        return Image.fromarray(noise, "RGBA")
    if mode == "LA":
        return Image.fromarray(noise[..., :2].copy(), "LA")
    return Image.fromarray(noise[..., :3].copy(), "RGB").convert(mode)


def size(rng):
    return pick(rng, {"height": side(rng), "width": side(rng)}, [side(rng), side(rng)], (18, 18), {"height": 18, "width": 18})


def crop(rng, height, width):
    """Any size whose difference from a smaller picture is even: at odd ones the reference is a pixel short."""
    wanted = []
    for have in (height, width):
        value = int(rng.integers(1, 30))
        if value > have and (value - have) % 2:
            value += 1
        wanted.append(value)
    return {"height": wanted[0], "width": wanted[1]}


def options(rng, height=None, width=None, channels=3):
    """For pictures of one known size before the crop, the options of a call."""
    given = {"do_resize": maybe(rng, 0.7)}
    if given["do_resize"]:
        given["size"] = size(rng)
        if isinstance(given["size"], dict):
            height, width = given["size"]["height"], given["size"]["width"]
        else:
            height, width = given["size"]
        given["resample"] = pick(rng, 0, 1, 2, 3, 3, 3, 4, 5)
    given["do_center_crop"] = height is not None and maybe(rng, 0.4)
    if given["do_center_crop"]:
        given["crop_size"] = crop(rng, height, width)
    given["do_rescale"] = maybe(rng, 0.7)
    if maybe(rng, 0.3):
        given["rescale_factor"] = pick(rng, 1 / 255, 1 / 127.5, 0.5, 1e-3)
    given["do_normalize"] = maybe(rng, 0.7)
    if maybe(rng, 0.4):
        given["image_mean"] = pick(rng, [0.5] * channels, 0.25, list(rng.random(channels)))
        given["image_std"] = pick(rng, [0.5] * channels, 0.25, list(rng.random(channels) + 0.1))
    elif channels == 1:
        given["image_mean"], given["image_std"] = 0.4, 0.3
    if maybe(rng, 0.4):
        given["data_format"] = pick(rng, "channels_first", "channels_last", tuwen.ChannelDimension.LAST.value)
    given["return_tensors"] = pick(rng, None, "np", "pt")
    return given


def constructor_options(rng, given):
    """Part of the options moves from the call into the constructor."""
    never = {"return_tensors", "data_format", "input_data_format"}
    moved = {key for key in given if key not in never and maybe(rng)}
    return {k: v for k, v in given.items() if k in moved}, {k: v for k, v in given.items() if k not in moved}


def run(rng, images, given, broken, ours=None):
    made, called = constructor_options(rng, given)
    mine = dict(called)
    if broken:
        mine["resample" if given.get("do_resize") else "rescale_factor"] = 4 if given.get("do_resize") else 0.123
        mine["do_rescale"] = True
        mine["rescale_factor"] = 0.77
    result = both(lambda: reference.ChineseCLIPImageProcessor(**made)(images, **called),
                  lambda: tuwen.ChineseCLIPImageProcessor(**made)(images if ours is None else ours, **mine), f"{given}")
    if result is not None:
        same(dict(result[0]), dict(result[1]), f"{given}")


@family("image.pil")
def pil(rng, broken):
    images = [pil_image(rng) for _ in range(int(rng.integers(1, 4)))]
    given = options(rng)
    if given["return_tensors"] is not None and not given["do_resize"]:
        images = images[:1]
    run(rng, images[0] if len(images) == 1 and maybe(rng) else images, given, broken)


@family("image.bytes")
def uint8(rng, broken):
    count, height, width = int(rng.integers(1, 4)), side(rng), side(rng)
    layout = pick(rng, "channels_first", "channels_last")
    channels = pick(rng, 3, 3, 3, 1)
    shape = (height, width, channels) if layout == "channels_last" else (channels, height, width)
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]
    given = options(rng, height, width, channels)
    if maybe(rng, 0.3):
        given["input_data_format"] = layout
    kind = pick(rng, "list", "batch", "torch", "strided")
    if kind == "batch":
        images = np.stack(images)
    elif kind == "torch":
        images = pick(rng, [torch.from_numpy(i) for i in images], torch.from_numpy(np.stack(images)))
    elif kind == "strided":
        images = [np.repeat(i, 2, axis=1)[:, ::2] for i in images]
    run(rng, images, given, broken)


@family("image.floats")
def floats(rng, broken):
    height, width = side(rng), side(rng)
    layout = pick(rng, "channels_first", "channels_last")
    channels = pick(rng, 3, 3, 1)
    shape = (height, width, channels) if layout == "channels_last" else (channels, height, width)
    kind = pick(rng, "unit", "whole", "wide", "int64", "bool", "binary", "half")
    image = {
        "unit": lambda: rng.random(shape), "whole": lambda: rng.integers(0, 256, shape).astype(np.float64),
        "wide": lambda: rng.random(shape) * 300 - 20, "int64": lambda: rng.integers(pick(rng, 0, -5), pick(rng, 256, 300), shape),
        "bool": lambda: rng.random(shape) < 0.5, "binary": lambda: (rng.random(shape) < 0.5) * 1.0,
        "half": lambda: rng.random(shape).astype(np.float16),
    }[kind]()
    if image.dtype == np.float64 and maybe(rng):
        image = image.astype(np.float32)
    given = options(rng, height, width, channels)
    given["input_data_format"] = layout
    run(rng, image, given, broken)


@family("image.paths", 0.3)
def paths(rng, broken):
    """tuwen takes a file where the reference takes what Pillow makes of it."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/picture.{pick(rng, 'png', 'bmp')}"
        pil_image(rng, pick(rng, "RGB", "L", "RGBA" if path.endswith("png") else "RGB")).save(path)
        with Image.open(path) as image:
            image.load()
            same(np.array(image.convert("RGB")), tuwen.load_image(path), "load_image")
            given = {**options(rng), "do_resize": True, "size": {"height": 18, "width": 20}}
            if given["do_center_crop"]:
                given["crop_size"] = crop(rng, 18, 20)
            run(rng, image, given, broken, ours=path)


@family("image.errors", 0.5)
def errors(rng, broken):
    good = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    images = pick(rng, good, good[..., 0], np.zeros((2, 2, 8, 9, 3), np.uint8), "x", 3, [], [3], np.zeros((8, 9, 5), np.uint8), {}, None)
    fine = {"do_resize": False, "do_center_crop": False}
    wrong = pick(rng, {}, {"size": {"height": 5}}, {"size": "x"}, {"size": {"shortest_edge": 3, "width": 3}},
                 {"size": {"height": 5.0, "width": 5}, "do_resize": True},
                 {"crop_size": {"shortest_edge": 3}, "do_center_crop": True}, {"image_mean": [0.5]}, {"return_tensors": "xx"},
                 {"data_format": "chw"}, {"input_data_format": "middle"}, {"do_resize": True, "size": {"height": 0, "width": 4}},
                 {"do_resize": True, "size": {"height": 4, "width": 4}, "resample": 9}, {"return_tensors": "tf"}, {"return_tensors": "jax"})
    if isinstance(images, str):
        images = object()
    if images is not good and maybe(rng, 0.9):
        wrong = {}
    if broken:
        wrong, images = {"return_tensors": "xx"}, good
    given = {**fine, **wrong}
    mine = fine if broken else given
    processor = {"do_center_crop": False, "size": {"height": 8, "width": 8}}
    result = both(lambda: reference.ChineseCLIPImageProcessor(**processor)(images, **given),
                  lambda: tuwen.ChineseCLIPImageProcessor(**processor)(images, **mine), f"{type(images)} {given}")
    if result is not None:
        same(dict(result[0]), dict(result[1]), f"{given}")


@family("image.files", 0.3)
def files(rng, broken):
    """preprocessor_config.json, saved by one package and read by both."""
    given, _ = constructor_options(rng, options(rng))
    with tempfile.TemporaryDirectory() as directory:
        saver = pick(rng, reference, tuwen)
        saver.ChineseCLIPImageProcessor(**given).save_pretrained(directory)
        override = pick(rng, {}, {"size": {"height": 9, "width": 8}}, {"do_normalize": False}, {"crop_size": 7})
        mine = {**override, "do_resize": "broken"} if broken else override
        expected = reference.ChineseCLIPImageProcessor.from_pretrained(directory, **override)
        found = tuwen.ChineseCLIPImageProcessor.from_pretrained(directory, **mine)
        same(expected.to_dict(), found.to_dict(), "to_dict()")
        same(expected.to_json_string(), found.to_json_string(), "to_json_string()")
