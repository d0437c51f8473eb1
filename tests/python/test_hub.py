import os
import re
import shutil

import pytest

import tuwen

ID = "somebody/tiny-clip"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    repository = tmp_path / "hub" / "models--somebody--tiny-clip"
    for revision, commit in (("main", "a" * 40), ("v1", "b" * 40)):
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / revision).write_text(commit)
        (repository / "snapshots" / commit).mkdir(parents=True)
        tuwen.ChineseCLIPConfig(projection_dim=ord(commit[0])).save_pretrained(repository / "snapshots" / commit)
    return tmp_path


@pytest.mark.parametrize("variable,below", [("HF_HOME", ""), ("HF_HUB_CACHE", "hub"), ("HUGGINGFACE_HUB_CACHE", "hub")])
def test_an_id_is_found_by_its_revision(cache, monkeypatch, variable, below):
    monkeypatch.setenv(variable, str(cache / below))
    assert tuwen.ChineseCLIPConfig.from_pretrained(ID).projection_dim == ord("a")
    assert tuwen.ChineseCLIPConfig.from_pretrained(ID, revision="v1").projection_dim == ord("b")
    assert tuwen.ChineseCLIPConfig.from_pretrained(ID, revision="b" * 40).projection_dim == ord("b")
    assert tuwen.ChineseCLIPConfig.from_pretrained(ID, cache_dir=str(cache / "hub")).projection_dim == ord("a")


@pytest.mark.parametrize("name", ["somebody/other", "../../etc", "no such directory"])
def test_what_is_not_there(cache, monkeypatch, name):
    monkeypatch.setenv("HF_HOME", str(cache))
    with pytest.raises(OSError) as caught:
        tuwen.AutoTokenizer.from_pretrained(name)
    if name == "somebody/other":
        assert "huggingface-cli download somebody/other" in str(caught.value)


def test_a_revision_does_not_leave_the_cache(cache, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(cache))
    with pytest.raises(OSError):
        tuwen.ChineseCLIPConfig.from_pretrained(ID, revision="../../../../config.json")


def test_demo_is_the_model_beside_the_package(base, tmp_path, monkeypatch):
    from tuwen import _hub

    (tmp_path / "demo").mkdir()  # which ./demo names
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_hub, "__file__", str(tmp_path / "site" / "tuwen" / "_hub.py"))
    place = tmp_path / "site" / "tuwen" / "demo"
    for load in (tuwen.ChineseCLIPModel, tuwen.ChineseCLIPConfig, tuwen.ChineseCLIPProcessor, tuwen.AutoTokenizer):
        with pytest.raises(OSError) as caught:
            load.from_pretrained("demo")
        assert f"expected the demo model in {place}, found no config.json" in str(caught.value)
    shutil.copytree(base, place)
    assert tuwen.ChineseCLIPConfig.from_pretrained("demo").projection_dim == 20
    assert tuwen.ChineseCLIPModel.from_pretrained("demo").config.projection_dim == 20
    assert tuwen.ChineseCLIPProcessor.from_pretrained("demo").tokenizer.vocab_size == 64
    with pytest.raises(OSError, match="config.json"):
        tuwen.ChineseCLIPModel.from_pretrained("./demo")


def test_demo_is_in_the_source_tree_of_a_build_folder(tmp_path, monkeypatch):
    from tuwen import _hub

    source, build = tmp_path / "source", tmp_path / "build"
    (source / "python" / "tuwen").mkdir(parents=True)
    (build / "python" / "tuwen").mkdir(parents=True)
    (source / "python" / "tuwen" / "_hub.py").touch()
    (build / "python" / "tuwen" / "_hub.py").symlink_to(source / "python" / "tuwen" / "_hub.py")
    (build / "CMakeCache.txt").touch()
    monkeypatch.setattr(_hub, "__file__", str(build / "python" / "tuwen" / "_hub.py"))
    with pytest.raises(OSError, match=re.escape(str(source / "demo" / "model"))):
        _hub.find_directory("demo")
    (source / "demo" / "model").mkdir(parents=True)
    (source / "demo" / "model" / "config.json").touch()
    assert _hub.find_directory("demo") == os.path.join(str(source / "demo" / "model"), "")
