"""The recorded forward passes of the reference."""
import json

import model_cases
import numpy as np
import pytest

import tuwen


@pytest.fixture(scope="module")
def recorded(data):
    return json.loads((data / "python" / "models.json").read_text(encoding="utf-8"))


def compare(expected, found, where):
    if isinstance(expected, dict) and "values" not in expected:
        assert list(found) == list(expected), where
        for key in expected:
            compare(expected[key], found[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected), where
        for i, (a, b) in enumerate(zip(expected, found)):
            compare(a, b, f"{where}[{i}]")
    elif isinstance(expected, dict):
        assert found["shape"] == expected["shape"], where
        a, b = np.array(expected["values"]), np.array(found["values"])
        assert np.all(np.abs(a - b) <= 2e-5 * (1 + np.abs(a))), f"{where}: differs by {np.abs(a - b).max()}"
    else:
        assert found == expected, where


@pytest.mark.parametrize("number", range(len(model_cases.CASES)))
def test_equals_reference(recorded, number):
    assert len(recorded) == len(model_cases.CASES)
    case = model_cases.CASES[number]
    compare(recorded[number], model_cases.run_case(tuwen, case), f"{case[0]}.{case[2]}")
