"""Forward passes that are recorded from the reference and replayed; see golden_cases.py. Weights and inputs are made of the names and
shapes alone, by a generator that every version of NumPy has."""

import zlib

import numpy as np

TEXT = {"vocab_size": 30, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 10,
        "max_position_embeddings": 12, "type_vocab_size": 2}
VISION = {"hidden_size": 10, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8, "image_size": 9, "patch_size": 4}
JOINT = {"text_config": TEXT, "vision_config": VISION, "projection_dim": 6}
DECODER = {**TEXT, "is_decoder": True}
EVERYTHING = {"output_hidden_states": True, "output_attentions": True}


def noise(name, shape, dtype=np.float32):
    return np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(dtype)


def ids(name, shape, below):
    return np.random.RandomState(zlib.crc32(name.encode())).randint(0, below, shape).astype(np.int64)


def weights(shapes):
    """name -> array: LayerNorms near one, everything else large enough to matter."""
    values = {}
    for name, shape in shapes.items():
        value = noise(name, shape) * np.float32(0.3)
        if len(shape) >= 2 and "embedding" not in name:
            value = value * np.float32(4 / np.prod(shape[1:]) ** 0.5)
        elif name.endswith("weight") and len(shape) == 1:
            value = value + np.float32(1)
        values[name] = np.full((), 1.5, np.float32) if name == "logit_scale" else value.astype(np.float32)
    return values


def texts(**more):
    return {"input_ids": ids("ids", (2, 5), 30), **more}


RIGHT = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
HOLES = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 1]])
PIXELS = noise("pixels", (2, 3, 9, 9))

# class, configuration, method, inputs
CASES = [
    ("ChineseCLIPModel", JOINT, "get_text_features", texts()),
    ("ChineseCLIPModel", JOINT, "get_text_features", texts(attention_mask=RIGHT, token_type_ids=ids("types", (2, 5), 2))),
    ("ChineseCLIPModel", JOINT, "get_text_features", texts(attention_mask=HOLES)),
    ("ChineseCLIPModel", JOINT, "get_text_features", texts(attention_mask=0 * RIGHT, position_ids=ids("positions", (1, 5), 12))),
    ("ChineseCLIPModel", JOINT, "get_image_features", {"pixel_values": PIXELS}),
    ("ChineseCLIPModel", JOINT, "forward", texts(pixel_values=PIXELS, attention_mask=RIGHT, return_loss=True)),
    ("ChineseCLIPModel", JOINT, "forward", texts(pixel_values=PIXELS[:1], return_dict=False)),
    ("ChineseCLIPTextModel", TEXT, "forward", texts(attention_mask=RIGHT, **EVERYTHING)),
    ("ChineseCLIPTextModel", TEXT, "forward", texts(attention_mask=HOLES * 0.5, head_mask=noise("heads", (2, 3)))),
    ("ChineseCLIPTextModel", TEXT, "forward", texts(attention_mask=ids("mask3", (2, 5, 5), 2))),
    ("ChineseCLIPTextModel", {**TEXT, "position_embedding_type": "relative_key"}, "forward", texts(attention_mask=RIGHT)),
    ("ChineseCLIPTextModel", {**TEXT, "position_embedding_type": "relative_key_query"}, "forward", texts()),
    ("ChineseCLIPTextModel", {**TEXT, "hidden_act": "gelu_new"}, "forward",
     {"inputs_embeds": noise("embeds", (2, 4, 12)), "return_dict": False}),
    ("ChineseCLIPTextModel", DECODER, "forward", texts(attention_mask=RIGHT)),
    ("ChineseCLIPTextModel", {**DECODER, "add_cross_attention": True}, "forward",
     texts(encoder_hidden_states=noise("encoder", (2, 3, 12)), encoder_attention_mask=RIGHT[:, 1:4], output_attentions=True)),
    ("ChineseCLIPVisionModel", VISION, "forward", {"pixel_values": PIXELS, **EVERYTHING}),
    ("ChineseCLIPVisionModel", {**VISION, "hidden_act": "relu"}, "forward", {"pixel_values": PIXELS, "return_dict": False}),
    ("ChineseCLIPTextModel", TEXT, "forward", {}),
    ("ChineseCLIPTextModel", TEXT, "forward", texts(inputs_embeds=noise("embeds", (2, 5, 12)))),
    ("ChineseCLIPTextModel", TEXT, "forward", {"input_ids": np.array([[30]])}),
    ("ChineseCLIPTextModel", DECODER, "forward", texts(encoder_hidden_states=noise("encoder", (2, 3, 12)))),
    ("ChineseCLIPVisionModel", VISION, "forward", {}),
]


def model_of(package, name, config, tensor=lambda array: array):
    made_config = getattr(package, name.replace("Model", "Config"))(**{k: dict(v) if isinstance(v, dict) else v for k, v in config.items()})
    cls = getattr(package, name)
    shapes = {key: tuple(value.shape) for key, value in cls(made_config).state_dict().items()}
    state = {key: tensor(value) for key, value in weights(shapes).items()}
    return cls.from_pretrained(None, config=made_config, state_dict=state).eval()


def plain(value):
    """Lists of numbers; the names of what an object holds."""
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if value is None:
        return None
    array = np.asarray(value, np.float32)
    return {"shape": list(array.shape), "values": [float(f"{x:.8g}") for x in array.ravel()]}


def run_case(package, case, tensor=lambda array: array):
    name, config, method, inputs = case
    model = model_of(package, name, config, tensor)
    given = {key: tensor(value) if isinstance(value, np.ndarray) else value for key, value in inputs.items()}
    try:
        return plain(getattr(model, method)(**given))
    except (ValueError, IndexError, TypeError) as error:
        return {"raises": type(error).__name__}
