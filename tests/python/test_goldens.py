"""The recorded cases of the reference."""
import json

import golden_cases
import pytest

import tuwen


@pytest.fixture(scope="module")
def recorded(data):
    return json.loads((data / "python" / "goldens.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made(data):
    return json.loads(json.dumps(golden_cases.run_all(tuwen, str(data / "tokenizer" / "vocab.txt"))))


@pytest.mark.parametrize("kind", ["configs", "tokenizer", "decoded", "images", "float_images"])
def test_equals_reference(recorded, made, kind):
    assert len(made[kind]) == len(recorded[kind])
    for i, (expected, found) in enumerate(zip(recorded[kind], made[kind])):
        assert found == expected, f"{kind}[{i}]"
