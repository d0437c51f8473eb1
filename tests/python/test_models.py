"""What the models do beside computing: loading, saving, switching, threads, pickles, and errors that name the argument."""
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
from conftest import HAVE_TORCH
from model_cases import DECODER, JOINT, PIXELS, RIGHT, TEXT, VISION, ids, model_of, texts

import tuwen


@pytest.fixture(scope="module")
def joint():
    return model_of(tuwen, "ChineseCLIPModel", JOINT)


@pytest.fixture(scope="module")
def text():
    return model_of(tuwen, "ChineseCLIPTextModel", TEXT)


def test_padding_changes_nothing(joint):
    """The encode path: each text has the bits that it has alone."""
    batch = joint.get_text_features(**texts(attention_mask=RIGHT))
    alone = joint.get_text_features(input_ids=ids("ids", (2, 5), 30)[1:, :2])
    assert np.array_equal(batch[1], alone[0])


def test_encode_path_and_forward_pass_agree(joint):
    inputs = texts(attention_mask=RIGHT)
    plain = joint.get_text_features(**inputs)
    full = joint.get_text_features(**inputs, position_ids=np.arange(5)[None])
    assert np.allclose(plain, full, rtol=1e-5, atol=1e-5)
    outputs = joint(**inputs, pixel_values=PIXELS)
    normalised = plain / np.linalg.norm(plain, axis=-1, keepdims=True)
    assert np.allclose(outputs.text_embeds, normalised, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("convert", [list, lambda a: a.astype(np.int32), np.asfortranarray, lambda a: a.tolist()])
def test_inputs_of_any_kind(joint, convert):
    inputs = texts()
    assert np.array_equal(joint.get_text_features(convert(inputs["input_ids"])), joint.get_text_features(**inputs))


class Foreign:
    """A tensor of some framework that offers DLPack and nothing else."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


def test_dlpack_and_buffers(joint):
    inputs = texts(attention_mask=RIGHT)
    expected = joint.get_text_features(**inputs)
    assert np.array_equal(joint.get_text_features(**{key: Foreign(value) for key, value in inputs.items()}), expected)
    assert np.array_equal(joint.get_text_features(**{key: memoryview(value) for key, value in inputs.items()}), expected)
    assert np.array_equal(joint.get_image_features(Foreign(PIXELS)), joint.get_image_features(PIXELS))


def test_masks_of_any_kind(joint):
    expected = joint.get_text_features(**texts(attention_mask=RIGHT))
    for dtype in (bool, np.int32, np.float32, np.float64, np.uint8):
        assert np.array_equal(joint.get_text_features(**texts(attention_mask=RIGHT.astype(dtype))), expected)


@pytest.mark.skipif(not HAVE_TORCH, reason="needs torch")
def test_tensors_in_tensors_out(joint):
    import torch

    inputs = {key: torch.from_numpy(value) for key, value in texts(attention_mask=RIGHT, pixel_values=PIXELS).items()}
    outputs = joint(**inputs, return_loss=True)
    assert all(isinstance(value, torch.Tensor) for key, value in outputs.items() if not key.endswith("output"))
    assert isinstance(outputs.text_model_output.last_hidden_state, torch.Tensor) and outputs.loss.shape == ()
    assert isinstance(joint.get_text_features(inputs["input_ids"]), torch.Tensor)


def test_output_objects(text):
    outputs = text(**texts(output_hidden_states=True))
    assert outputs[0] is outputs.last_hidden_state is outputs["last_hidden_state"] is outputs.to_tuple()[0]
    assert list(outputs) == ["last_hidden_state", "pooler_output", "hidden_states"] and outputs.attentions is None
    assert len(outputs[:2]) == 2 and len(outputs.hidden_states) == 3
    assert pickle.loads(pickle.dumps(outputs)).keys() == outputs.keys()
    with pytest.raises(KeyError):
        outputs["attentions"]
    with pytest.raises(TypeError):
        del outputs["last_hidden_state"]


def test_saved_loaded_pickled(joint, tmp_path):
    joint.save_pretrained(tmp_path)
    expected = joint.get_text_features(**texts())
    loaded = [cls.from_pretrained(tmp_path) for cls in (tuwen.ChineseCLIPModel, tuwen.AutoModel)]
    for again in (*loaded, pickle.loads(pickle.dumps(joint))):
        assert np.array_equal(again.get_text_features(**texts()), expected)
        assert again.config.to_diff_dict()["text_config"] == joint.config.to_diff_dict()["text_config"]
    alone = tuwen.ChineseCLIPTextModel.from_pretrained(tmp_path)
    outputs = alone(**texts())
    assert outputs.pooler_output is None
    assert np.allclose(outputs[0], joint(**texts(), pixel_values=PIXELS).text_model_output[0], atol=1e-5)
    assert np.allclose(tuwen.ChineseCLIPVisionModel.from_pretrained(tmp_path)(PIXELS).pooler_output,
                       joint(**texts(), pixel_values=PIXELS).vision_model_output.pooler_output, atol=1e-5)


def test_configuration_is_overridden_while_loading(text, tmp_path):
    text.save_pretrained(tmp_path)
    model = tuwen.ChineseCLIPTextModel.from_pretrained(tmp_path, output_hidden_states=True, is_decoder=True)
    outputs = model(**texts())
    assert outputs.hidden_states is not None and outputs.past_key_values is not None
    with pytest.raises(TypeError, match="nonsense"):
        tuwen.ChineseCLIPTextModel.from_pretrained(tmp_path, nonsense=1)


def test_precisions(joint, tmp_path):
    joint.save_pretrained(tmp_path)
    expected = joint.get_image_features(PIXELS)
    half = tuwen.ChineseCLIPModel.from_pretrained(tmp_path, dtype="bfloat16", threads=1)
    found = half.get_image_features(PIXELS)
    assert found.dtype == np.float32 and 0 < np.abs(found - expected).max() < 0.2 * np.abs(expected).max()
    assert np.array_equal(half.to(dtype="float32").get_image_features(PIXELS), expected)
    with pytest.raises(ValueError, match="dtype"):
        tuwen.ChineseCLIPModel.from_pretrained(tmp_path, dtype="float64")
    with pytest.raises(ValueError, match="plan: expected"):
        tuwen.ChineseCLIPModel.from_pretrained(tmp_path, plan="quick")
    fast = tuwen.ChineseCLIPModel.from_pretrained(tmp_path, plan="fast", threads=1)
    assert np.array_equal(fast.get_image_features(PIXELS), expected)  # no product of this model is large
    with pytest.raises(Exception, match="plan fast: expected precision f32"):
        tuwen.ChineseCLIPModel.from_pretrained(tmp_path, plan="fast", dtype="int8", threads=1)
    assert np.array_equal(fast.vision_model(PIXELS).pooler_output, fast.vision_model(PIXELS)[1])
    with pytest.raises(ValueError, match="float16 is for CUDA devices"):
        half.half()
    assert half.dtype == np.float32 or str(half.dtype).endswith("float32")
    assert joint.eval() is joint.to("cpu") is joint.cpu() is joint and not joint.training


def test_devices(joint, tmp_path):
    expected = joint.get_image_features(PIXELS)
    for device in ("mps", "cuda:x", "cpus", ""):
        with pytest.raises(ValueError, match="device"):
            joint.to(device)
    # A device that no machine has: one sentence, and the CPU goes on.
    with pytest.warns(RuntimeWarning, match='device "cuda.*; the model is on the CPU') as told:
        assert joint.to("cuda:999999") is joint
    assert len(told) == 1 and "\n" not in str(told[0].message)
    with pytest.warns(RuntimeWarning, match="the model is on the CPU"):
        joint.cuda(999999)
    joint.save_pretrained(tmp_path)
    with pytest.warns(RuntimeWarning, match="the model is on the CPU"):
        loaded = tuwen.ChineseCLIPModel.from_pretrained(tmp_path, device="cuda:999999", threads=1)
    for model in (joint, loaded, pickle.loads(pickle.dumps(joint))):
        assert str(model.device) == "cpu"
        assert np.array_equal(model.get_image_features(PIXELS), expected)


def test_random_initialisation():
    config = tuwen.ChineseCLIPConfig(**{k: dict(v) if isinstance(v, dict) else v for k, v in JOINT.items()})
    one, same, other = (tuwen.ChineseCLIPModel(config, seed=seed).state_dict() for seed in (1, 1, 2))
    name = "text_model.encoder.layer.0.intermediate.dense.weight"
    assert np.array_equal(one[name], same[name]) and not np.array_equal(one[name], other[name])
    assert not np.asarray(one["text_model.embeddings.word_embeddings.weight"])[0].any()
    assert not np.array_equal(tuwen.ChineseCLIPModel(config).state_dict()[name], tuwen.ChineseCLIPModel(config).state_dict()[name])
    assert tuwen.ChineseCLIPModel(config).num_parameters() == sum(np.asarray(value).size for value in one.values())
    assert tuwen.ChineseCLIPTextModel(config.text_config, add_pooling_layer=False)(**texts()).pooler_output is None


def test_pruned_heads(text, tmp_path):
    model = pickle.loads(pickle.dumps(text))
    model.prune_heads({0: [1], 1: [0, 2]})
    assert model.config.pruned_heads == {0: [1], 1: [0, 2]}
    outputs = model(**texts(output_attentions=True))
    assert [a.shape[1] for a in outputs.attentions] == [2, 1]
    model.save_pretrained(tmp_path)
    assert np.array_equal(tuwen.ChineseCLIPTextModel.from_pretrained(tmp_path, dtype="float32")(**texts())[0], outputs[0])
    with pytest.raises(ValueError):
        model.prune_heads({1: [1]})  # the last one of a layer
    with pytest.raises(ValueError):
        model.prune_heads({7: [0]})


def test_interpolated_positions():
    model = model_of(tuwen, "ChineseCLIPVisionModel", VISION)
    larger = np.zeros((1, 3, 16, 12), np.float32)
    with pytest.raises(ValueError, match="pixel_values"):
        model(larger)
    assert model(larger, interpolate_pos_encoding=True).last_hidden_state.shape == (1, 1 + 4 * 3, 10)
    assert np.array_equal(model(PIXELS, interpolate_pos_encoding=True)[0], model(PIXELS)[0])


def test_get_text_features_takes_what_the_page_describes(joint):
    ones = joint.get_text_features(**texts(head_mask=np.ones(3, np.float32)))
    assert np.allclose(ones, joint.get_text_features(**texts()), atol=1e-5)
    table = np.asarray(joint.state_dict()["text_model.embeddings.word_embeddings.weight"])
    embeds = table[texts()["input_ids"]]
    assert np.allclose(joint.get_text_features(inputs_embeds=embeds), joint.get_text_features(**texts()), atol=1e-5)


@pytest.mark.parametrize("inputs,error,word", [
    ({}, ValueError, "input_ids"),
    ({"input_ids": [[1]], "inputs_embeds": np.zeros((1, 1, 12))}, ValueError, "inputs_embeds"),
    ({"input_ids": [[30]]}, IndexError, "input_ids"),
    ({"input_ids": [[-1]]}, IndexError, "input_ids"),
    ({"input_ids": [[1.5]]}, TypeError, "input_ids"),
    ({"input_ids": [[1], [2, 3]]}, (ValueError, TypeError), "input_ids"),
    ({"input_ids": "text"}, TypeError, "input_ids"),
    ({"input_ids": 5}, ValueError, "input_ids"),
    ({"input_ids": [[1] * 13]}, ValueError, "(?i)tokens|positions|input_ids"),
    ({"input_ids": [[1, 2]], "token_type_ids": [[0, 2]]}, IndexError, "token_type_ids"),
    ({"input_ids": [[1, 2]], "token_type_ids": [[0, 0, 0]]}, ValueError, "token_type_ids"),
    ({"input_ids": [[1, 2]], "position_ids": [[0, 12]]}, IndexError, "position_ids"),
    ({"input_ids": [[1, 2]], "attention_mask": [[1, 1, 1]]}, ValueError, "attention_mask"),
    ({"input_ids": [[1, 2]], "attention_mask": [[[[1, 1]]]]}, ValueError, "attention_mask"),
    ({"input_ids": [[1, 2]], "attention_mask": [[1, float("nan")]]}, ValueError, "attention_mask"),
    ({"input_ids": [[1, 2]], "head_mask": np.ones(4)}, ValueError, "head_mask"),
    ({"inputs_embeds": np.full((1, 2, 12), np.nan)}, ValueError, "inputs_embeds"),
    ({"inputs_embeds": np.zeros((1, 2, 11))}, ValueError, "inputs_embeds"),
    ({"input_ids": np.zeros((1, 0), np.int64)}, (ValueError, IndexError), "input_ids|length|row"),
])
def test_wrong_texts(text, joint, inputs, error, word):
    for call in (text, joint.get_text_features):
        with pytest.raises(error, match=word):
            call(**inputs)


@pytest.mark.parametrize("pixels,error", [
    (None, ValueError), (np.zeros((3, 9, 9)), ValueError), (np.zeros((1, 4, 9, 9)), ValueError), (np.zeros((1, 3, 8, 8)), ValueError),
    (np.full((1, 3, 9, 9), np.nan), ValueError), ("picture", TypeError),
])
def test_wrong_pictures(joint, pixels, error):
    for call in (joint.get_image_features, lambda p: joint(pixel_values=p, **texts())):
        with pytest.raises(error, match="pixel_values"):
            call(pixels)


def test_wrong_configurations():
    for options, error in [({"hidden_act": "nonsense"}, KeyError), ({"hidden_act": len}, TypeError),
                           ({"num_attention_heads": 5}, ValueError), ({"num_hidden_layers": -1}, ValueError),
                           ({"vocab_size": 0}, ValueError), ({"add_cross_attention": True}, ValueError),
                           ({"position_embedding_type": "sideways"}, ValueError)]:
        with pytest.raises(error):
            tuwen.ChineseCLIPTextModel(tuwen.ChineseCLIPTextConfig(**{**TEXT, **options}))
    with pytest.raises(ValueError, match="ChineseCLIPConfig"):
        tuwen.ChineseCLIPModel(tuwen.ChineseCLIPTextConfig())


def test_caches_of_another_model():
    model = model_of(tuwen, "ChineseCLIPTextModel", DECODER)
    other = model_of(tuwen, "ChineseCLIPTextModel", {**DECODER, "num_hidden_layers": 1})
    past = other(**texts()).past_key_values
    with pytest.raises(ValueError, match="past_key_values"):
        model(input_ids=[[1], [2]], past_key_values=past)
    with pytest.raises((ValueError, TypeError), match="past_key_values"):
        model(input_ids=[[1], [2]], past_key_values=3)


def test_missing_weights_are_listed(joint, tmp_path):
    state = {name: np.asarray(value) for name, value in joint.state_dict().items()}
    state["text_projection.weight"] = state["text_projection.weight"][:, 1:].copy()
    del state["logit_scale"]
    with pytest.raises(ValueError, match="(?s)logit_scale.*text_projection|text_projection.*logit_scale"):
        tuwen.ChineseCLIPModel.from_pretrained(None, config=joint.config, state_dict=state)


def test_threads_take_turns(joint):
    inputs = [{"input_ids": ids(f"t{i}", (2, 6), 30)} for i in range(6)]
    expected = [joint.get_text_features(**i) for i in inputs]
    failures = []

    def work(i):
        for _ in range(20):
            if not np.array_equal(joint.get_text_features(**inputs[i]), expected[i]):
                failures.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_control_c_stops_a_long_call():
    config = {**VISION, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024, "num_hidden_layers": 8, "image_size": 96}
    model = tuwen.ChineseCLIPVisionModel(tuwen.ChineseCLIPVisionConfig(**config), seed=1, threads=1)
    pixels = np.zeros((64, 3, 96, 96), np.float32)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    begin = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(100):
            model(pixels)
    assert time.monotonic() - begin < 20
    assert model(pixels[:1]).pooler_output.shape == (1, 256)  # and it works on
