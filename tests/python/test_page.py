"""The examples of the documentation page of Chinese-CLIP, with only the import line changed. A tiny model lies in a local cache under
the published one's name. Where torch is not installed the examples ask for arrays, and say in NumPy what they said in torch."""
import types

import numpy as np
import pytest
from conftest import DATA, HAVE_TORCH

import tuwen

CONFIGS = {
    "ChineseCLIPConfig": """
from transformers import ChineseCLIPConfig, ChineseCLIPModel
configuration = ChineseCLIPConfig()
configuration.text_config.num_hidden_layers = configuration.vision_config.num_hidden_layers = 1  # (this test's: a small model)
configuration.text_config.vocab_size = 100
model = ChineseCLIPModel(configuration)
configuration = model.config
from transformers import ChineseCLIPTextConfig, ChineseCLIPVisionConfig
config_text = ChineseCLIPTextConfig()
config_vision = ChineseCLIPVisionConfig()
config = ChineseCLIPConfig.from_text_vision_configs(config_text, config_vision)
assert config.text_config.vocab_size == 30522
""",
    "ChineseCLIPTextConfig": """
from transformers import ChineseCLIPTextConfig, ChineseCLIPTextModel
configuration = ChineseCLIPTextConfig(num_hidden_layers=1, vocab_size=100)
model = ChineseCLIPTextModel(configuration)
configuration = model.config
""",
    "ChineseCLIPVisionConfig": """
from transformers import ChineseCLIPVisionConfig, ChineseCLIPVisionModel
configuration = ChineseCLIPVisionConfig(num_hidden_layers=1)
model = ChineseCLIPVisionModel(configuration)
configuration = model.config
""",
}

WITH_TENSORS = {
    "usage": """
from PIL import Image
import requests
from transformers import ChineseCLIPProcessor, ChineseCLIPModel
model = ChineseCLIPModel.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
processor = ChineseCLIPProcessor.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
url = "https://clip-cn-beijing.oss-cn-beijing.aliyuncs.com/pokemon.jpeg"
image = Image.open(requests.get(url, stream=True).raw)
texts = ["杰尼龟", "妙蛙种子", "小火龙", "皮卡丘"]
inputs = processor(images=image, return_tensors="pt")
image_features = model.get_image_features(**inputs)
image_features = image_features / image_features.norm(p=2, dim=-1, keepdim=True)  # normalize
inputs = processor(text=texts, padding=True, return_tensors="pt")
text_features = model.get_text_features(**inputs)
text_features = text_features / text_features.norm(p=2, dim=-1, keepdim=True)  # normalize
inputs = processor(text=texts, images=image, return_tensors="pt", padding=True)
outputs = model(**inputs)
logits_per_image = outputs.logits_per_image  # this is the image-text similarity score
probs = logits_per_image.softmax(dim=1)
assert tuple(probs.shape) == (1, 4) and abs(float(probs.sum()) - 1) < 1e-5
""",
    "forward": """
from PIL import Image
import requests
from transformers import AutoProcessor, ChineseCLIPModel
model = ChineseCLIPModel.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
processor = AutoProcessor.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
url = "https://clip-cn-beijing.oss-cn-beijing.aliyuncs.com/pokemon.jpeg"
image = Image.open(requests.get(url, stream=True).raw)
inputs = processor(text=["杰尼龟", "妙蛙种子", "小火龙", "皮卡丘"], images=image, return_tensors="pt", padding=True)
outputs = model(**inputs)
logits_per_image = outputs.logits_per_image  # this is the image-text similarity score
probs = logits_per_image.softmax(dim=1)  # we can take the softmax to get the label probabilities
""",
    "get_text_features": """
from transformers import AutoTokenizer, ChineseCLIPModel
model = ChineseCLIPModel.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
tokenizer = AutoTokenizer.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
inputs = tokenizer(["杰尼龟", "妙蛙种子", "小火龙", "皮卡丘"], padding=True, return_tensors="pt")
text_features = model.get_text_features(**inputs)
text_features = text_features / text_features.norm(p=2, dim=-1, keepdim=True)
""",
    "get_image_features": """
from PIL import Image
import requests
from transformers import AutoProcessor, ChineseCLIPModel
model = ChineseCLIPModel.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
processor = AutoProcessor.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
url = "https://clip-cn-beijing.oss-cn-beijing.aliyuncs.com/pokemon.jpeg"
image = Image.open(requests.get(url, stream=True).raw)
inputs = processor(images=image, return_tensors="pt")
image_features = model.get_image_features(**inputs)
image_features = image_features / image_features.norm(p=2, dim=-1, keepdim=True)
""",
    "ChineseCLIPTextModel": """
from transformers import AutoTokenizer, ChineseCLIPTextModel
import torch
tokenizer = AutoTokenizer.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
model = ChineseCLIPTextModel.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
inputs = tokenizer("Hello, my dog is cute", return_tensors="pt")
outputs = model(**inputs)
last_hidden_states = outputs.last_hidden_state
""",
    "ChineseCLIPVisionModel": """
from PIL import Image
import requests
from transformers import CLIPProcessor, ChineseCLIPVisionModel
model = ChineseCLIPVisionModel.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
processor = CLIPProcessor.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")
url = "https://clip-cn-beijing.oss-cn-beijing.aliyuncs.com/pokemon.jpeg"
image = Image.open(requests.get(url, stream=True).raw)
inputs = processor(images=image, return_tensors="pt")
outputs = model(**inputs)
last_hidden_state = outputs.last_hidden_state
pooled_output = outputs.pooler_output  # pooled CLS states
""",
}

IN_NUMPY = [
    ("import torch\n", ""),
    ('return_tensors="pt"', 'return_tensors="np"'),
    ("image_features.norm(p=2, dim=-1, keepdim=True)", "numpy.linalg.norm(image_features, axis=-1, keepdims=True)"),
    ("text_features.norm(p=2, dim=-1, keepdim=True)", "numpy.linalg.norm(text_features, axis=-1, keepdims=True)"),
    ("logits_per_image.softmax(dim=1)", "numpy.exp(logits_per_image) / numpy.exp(logits_per_image).sum(1, keepdims=True)"),
]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    repository = tmp_path / "hub" / "models--OFA-Sys--chinese-clip-vit-base-patch16"
    (repository / "refs").mkdir(parents=True)
    (repository / "snapshots").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "snapshots" / ("a" * 40)).symlink_to(DATA / "models" / "base")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))


def run(script):
    script = script.replace("from transformers import", "from tuwen import")
    names = {"numpy": np}
    exec(compile(script, "<page>", "exec"), names)
    return names


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations(name):
    run(CONFIGS[name])


@pytest.mark.parametrize("name", WITH_TENSORS)
def test_models(name, cache, monkeypatch):
    script = WITH_TENSORS[name]
    if "PIL" in script:
        pytest.importorskip("PIL")
    picture = sorted((DATA / "images" / "files").glob("*.jpg"))[0]
    with open(picture, "rb") as file:
        requests = types.ModuleType("requests")
        requests.get = lambda url, stream: types.SimpleNamespace(raw=file)
        monkeypatch.setitem(__import__("sys").modules, "requests", requests)
        if not HAVE_TORCH:
            for torch_words, numpy_words in IN_NUMPY:
                script = script.replace(torch_words, numpy_words)
        names = run(script)
    if HAVE_TORCH:
        import torch

        kept = [value for key, value in names.items() if key.endswith(("features", "state", "states", "probs"))]
        assert kept and all(isinstance(value, torch.Tensor) for value in kept)


def test_every_class_of_the_page_is_exported():
    for name in ("ChineseCLIPConfig", "ChineseCLIPTextConfig", "ChineseCLIPVisionConfig", "ChineseCLIPImageProcessor",
                 "ChineseCLIPFeatureExtractor", "ChineseCLIPProcessor", "ChineseCLIPModel", "ChineseCLIPTextModel",
                 "ChineseCLIPVisionModel",
                 "AutoProcessor", "AutoTokenizer", "AutoImageProcessor", "BertTokenizerFast", "CLIPProcessor", "load_image"):
        assert name in tuwen.__all__ and hasattr(tuwen, name)
