#!/usr/bin/env python3
"""Records what the reference does in the cases of tests/python/golden_cases.py and model_cases.py: tests/data/python/*.json.
Needs transformers 4.37.2 and torch. --check compares with what is committed instead of writing."""
import json
import logging
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "python"))


def write(name, made, check):
    """Whether the file holds, or now holds, what was made."""
    path = ROOT / "tests" / "data" / "python" / name
    text = json.dumps(made, ensure_ascii=False, indent=0, sort_keys=name == "goldens.json") + "\n"
    if name == "models.json":
        text = json.dumps(made, separators=(",", ":")).replace("},{", "},\n{") + "\n"
    if check:
        return path.read_text(encoding="utf-8") == text
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(text)} bytes")
    return True


def main():
    import torch
    import transformers

    import golden_cases
    import model_cases

    if transformers.__version__ != "4.37.2":
        sys.exit(f"make_python_goldens: transformers {transformers.__version__}, expected 4.37.2")
    logging.disable(logging.WARNING)
    torch.set_grad_enabled(False)
    check = "--check" in sys.argv[1:]
    made = golden_cases.run_all(transformers, str(ROOT / "tests" / "data" / "tokenizer" / "vocab.txt"))
    models = [model_cases.run_case(transformers, case, lambda a: torch.from_numpy(a.copy())) for case in model_cases.CASES]
    return 0 if write("goldens.json", made, check) and write("models.json", models, check) else 1


if __name__ == "__main__":
    sys.exit(main())
