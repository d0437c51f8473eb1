"""Cases of the Python package that are recorded from the reference and replayed. Pure data and how to run it: the same code runs with
either package. scripts/make_python_goldens.py records."""

import hashlib

import numpy as np

CONFIGS = [
    ("ChineseCLIPTextConfig", {}),
    ("ChineseCLIPTextConfig", {"vocab_size": 21128, "hidden_size": 24, "num_attention_heads": 3, "is_decoder": True, "foo": 3,
                               "pruned_heads": {1: [0]}}),
    ("ChineseCLIPVisionConfig", {}),
    ("ChineseCLIPVisionConfig", {"patch_size": 14, "hidden_act": "gelu", "id2label": {"0": "a"}, "dropout": 0.0}),
    ("ChineseCLIPConfig", {}),
    ("ChineseCLIPConfig", {"text_config": {"vocab_size": 21128, "directionality": "bidi"}, "vision_config": {"patch_size": 16},
                           "projection_dim": 768}),
    ("ChineseCLIPConfig", {"text_config": {"hidden_size": 24}, "text_config_dict": {"vocab_size": 9},
                           "vision_config_dict": {"image_size": 336},
                           "initializer_factor": 3.0, "logit_scale_init_value": 4.6, "architectures": ["ChineseCLIPModel"]}),
]

_TEXTS = ["杰尼龟", "妙蛙种子 hello World", "", "Café [MASK] [sep], don't 2024年！", "的的的的的的的的的的"]
TOKENIZER_CALLS = [
    ([_TEXTS], {}),
    ([_TEXTS], {"padding": True, "return_tensors": "np"}),
    ([_TEXTS[1]], {"return_offsets_mapping": True, "return_special_tokens_mask": True, "return_length": True}),
    ([_TEXTS], {"padding": "max_length", "max_length": 7, "truncation": True}),
    ([_TEXTS], {"max_length": 6}),
    ([_TEXTS], {"truncation": True, "max_length": 6, "stride": 2, "return_overflowing_tokens": True}),
    ([_TEXTS[1], _TEXTS[0]], {"truncation": "only_first", "max_length": 9}),
    ([_TEXTS, _TEXTS[::-1]], {"padding": "longest", "pad_to_multiple_of": 8, "return_token_type_ids": False}),
    ([["妙蛙", "种子", "hello world"]], {"is_split_into_words": True, "add_special_tokens": False}),
    ([_TEXTS], {"padding": "sideways"}),
    ([3], {}),
    ([[]], {}),
]
DECODED = [[2, 3, 8, 30, 9], [101, 102, 103, 5, 600], [0, 0]]

IMAGES = [
    ((20, 30, 3), {}, {}),
    ((20, 30, 3), {}, {"data_format": "channels_last", "do_normalize": False}),
    ((3, 20, 31), {"resample": 2}, {"return_tensors": "np"}),
    ((20, 30, 3), {"do_center_crop": True, "crop_size": {"height": 16, "width": 22}}, {"return_tensors": "np"}),
    ((20, 30, 3), {"do_resize": False, "do_rescale": False, "do_normalize": False}, {}),
    ((20, 30, 1), {"image_mean": 0.5, "image_std": 0.5}, {"return_tensors": "np"}),
    ((2, 20, 30, 3), {}, {"return_tensors": "np", "image_mean": [0.1, 0.2, 0.3], "image_std": [0.3, 0.2, 0.1], "rescale_factor": 0.5}),
    ((20, 30), {}, {}),
    ((20, 30, 5), {}, {}),
]
FLOAT_IMAGES = [{}, {"do_rescale": False}, {"do_resize": False, "do_rescale": False}]


def attempt(call):
    try:
        return call()
    except Exception as error:
        return {"raises": type(error).__name__}


def described(value):
    """JSON of an output; arrays of pixels by their hash."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "i":
            return value.tolist()
        data = np.ascontiguousarray(value)
        return [str(data.dtype), list(data.shape), hashlib.sha256(data.tobytes()).hexdigest()[:16]]
    if hasattr(value, "items"):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    return value


def pixels(shape):
    """Bytes that any version of NumPy makes alike."""
    count = int(np.prod(shape))
    return ((np.arange(count, dtype=np.uint64) * 2654435761 >> 13) % 256).astype(np.uint8).reshape(shape)


def run_config(package, name, options):
    config = getattr(package, name)(**options)
    return described({"all": config.to_dict(), "diff": config.to_diff_dict()})


def run_image(package, image, options, call):
    processor = package.ChineseCLIPImageProcessor(**{"size": {"height": 18, "width": 18}, "do_center_crop": False, **options})
    return described(dict(processor(image, **call)))


def run_all(package, vocab):
    tokenizer = package.BertTokenizerFast(vocab)
    return {
        "configs": [attempt(lambda: run_config(package, *case)) for case in CONFIGS],
        "tokenizer": [attempt(lambda: described(dict(tokenizer(*args, **options)))) for args, options in TOKENIZER_CALLS],
        "decoded": [tokenizer.batch_decode(DECODED, skip_special_tokens=skip) for skip in (False, True)],
        "images": [attempt(lambda: run_image(package, pixels(shape), *rest)) for shape, *rest in IMAGES],
        "float_images": [attempt(lambda: run_image(package, pixels((20, 30, 3)) / 255, *rest))
                         for rest in ((options, {}) for options in FLOAT_IMAGES)],
    }
