#!/usr/bin/env python3
"""Runs random cases of the Python package in tuwen and in the reference, and compares. Needs transformers 4.37.2 and torch.

    PYTHONPATH=build/release/python python scripts/check_python.py                 10,000 cases over all families
    ... --cases 200 --families tokenizer --seed 5                                  fewer, of some
    ... --self-test                                                                a wrong option has to be noticed in each family

Ids, pixels, dictionaries and exceptions have to be equal, floats of the models within 2e-5 (1 + |reference|), or else of the reference
computed in double: a random model can magnify the reference's own rounding beyond the limit. Every case has its own seed, which is
printed where it fails: --only FAMILY:SEED runs it again.
"""
import argparse
import logging
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


def run_case(case, name, seed, broken=False):
    from python_families.common import Mismatch

    rng = np.random.default_rng([seed, *name.encode()])
    try:
        case(rng, broken)
    except Mismatch as mismatch:
        return str(mismatch)
    return None


def self_test(families, cases):
    blind = 0
    for name, (case, _) in families.items():
        noticed = sum(run_case(case, name, seed, broken=True) is not None for seed in range(cases))
        print(f"{name:24} a wrong option was noticed in {noticed} of {cases} cases")
        blind += noticed == 0
    return 1 if blind else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--families", default="", help="only those whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="FAMILY:SEED")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--show", type=int, default=3, help="failures to print of a family")
    arguments = parser.parse_args()

    from python_families.common import FAMILIES, Closeness
    import python_families.all  # noqa: F401

    if arguments.only:
        name, seed = arguments.only.split(":")
        failure = run_case(FAMILIES[name][0], name, int(seed))
        print(failure or "ok")
        return 1 if failure else 0
    families = {name: entry for name, entry in FAMILIES.items() if arguments.families in name}
    if arguments.self_test:
        return self_test(families, max(1, min(arguments.cases, 20)))
    total, failed = 0, 0
    weights = sum(weight for _, weight in families.values())
    for name, (case, weight) in families.items():
        count, begin, failures, Closeness.largest = round(arguments.cases * weight / weights + 0.5), time.monotonic(), [], 0.0
        for i in range(count):
            failure = run_case(case, name, arguments.seed + i)
            if failure:
                failures.append(f"  {name}:{arguments.seed + i}  {failure:.600}")
        distance = f", at most {Closeness.largest:.1e}" if Closeness.largest else ""
        print(f"{name:24} {count:6} cases, {len(failures)} failed{distance}, {time.monotonic() - begin:.0f} s", flush=True)
        print("\n".join(failures[: arguments.show]), end="\n" if failures else "")
        total, failed = total + count, failed + len(failures)
    print(f"check_python: {total} cases, {len(families)} families, {failed} failed; "
          f"{Closeness.by_double} settled by the reference in double")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
