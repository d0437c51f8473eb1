#!/usr/bin/env python3
"""Records what the reference does in the cases of tests/python/golden_cases.py: tests/data/python/goldens.json.
Needs transformers 4.37.2 and torch. --check compares with what is committed instead of writing."""
import json
import logging
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "python"))


def main():
    import transformers

    import golden_cases

    if transformers.__version__ != "4.37.2":
        sys.exit(f"make_python_goldens: transformers {transformers.__version__}, expected 4.37.2")
    logging.disable(logging.WARNING)
    path = ROOT / "tests" / "data" / "python" / "goldens.json"
    made = golden_cases.run_all(transformers, str(ROOT / "tests" / "data" / "tokenizer" / "vocab.txt"))
    text = json.dumps(made, ensure_ascii=False, indent=0, sort_keys=True) + "\n"
    if "--check" in sys.argv[1:]:
        return 0 if path.read_text(encoding="utf-8") == text else 1
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
