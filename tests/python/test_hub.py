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
