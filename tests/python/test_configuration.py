import copy
import json
import pickle

import pytest

import tuwen


def test_nested_defaults_and_legacy_keys():
    config = tuwen.ChineseCLIPConfig(text_config={"hidden_size": 24, "vocab_size": 8}, text_config_dict={"vocab_size": 9})
    assert config.text_config.vocab_size == 9
    assert config.text_config.hidden_size == 768  # the old key resets what it does not name
    assert config.vision_config.patch_size == 32
    assert not hasattr(config, "text_config_dict")


def test_a_dictionary_given_is_not_changed():
    given = {"hidden_size": 24}
    tuwen.ChineseCLIPConfig(text_config=given, text_config_dict={"vocab_size": 9})
    assert given == {"hidden_size": 24}


def test_files(tmp_path):
    config = tuwen.ChineseCLIPConfig(text_config={"vocab_size": 9}, extra={"a": 1})
    config.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["extra"] == {"a": 1}
    again = tuwen.ChineseCLIPConfig.from_pretrained(tmp_path)
    assert again.to_dict() == config.to_dict()
    assert tuwen.ChineseCLIPTextConfig.from_pretrained(tmp_path).vocab_size == 9
    assert tuwen.AutoConfig.from_pretrained(tmp_path).to_dict() == config.to_dict()
    overridden, unused = tuwen.ChineseCLIPConfig.from_pretrained(tmp_path, projection_dim=7, zzz=1, return_unused_kwargs=True)
    assert overridden.projection_dim == 7 and unused == {"zzz": 1}


def test_another_model_type_warns(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.warns(UserWarning, match="bert"):
        tuwen.ChineseCLIPConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize("options", [{"problem_type": "x"}, {"id2label": [1]}, {"label2id": 3}])
def test_validation(options):
    with pytest.raises(ValueError):
        tuwen.ChineseCLIPTextConfig(**options)


def test_bad_files(tmp_path):
    with pytest.raises(OSError, match="no such file"):
        tuwen.ChineseCLIPConfig.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(OSError, match="not a valid JSON"):
        tuwen.ChineseCLIPConfig.from_pretrained(tmp_path)


def test_copies_and_pickles():
    config = tuwen.ChineseCLIPConfig(text_config={"vocab_size": 9})
    assert pickle.loads(pickle.dumps(config)) == config
    assert copy.deepcopy(config) == config
    assert config != tuwen.ChineseCLIPConfig()
