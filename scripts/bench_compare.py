#!/usr/bin/env python3
"""Compares two record files of tuwen-bench (-o json or jsonl): bench_compare.py OLD NEW

Prints a line per benchmark: the ratio of the new median to the old one (rates are turned round, so above 1 is always slower), the
band within which a ratio is noise, and a verdict. The band is twice the two files' relative spreads taken together, and at least
--least: within a file the standard deviation of a run (without its slowest twentieth), or half the range of the medians where a
benchmark stands in it several times. Runs of several processes, appended to one file, therefore give the more honest band.

Exit status: 0; 1 when a benchmark became slower than its band allows; 2 when the files cannot be compared.
"""
import argparse
import json
import math
import statistics
import sys

# What a record says about the machine and the build, and what was measured; all the rest says which benchmark it is.
ENVIRONMENT = {"cpu", "cores", "cpu_flags", "compiler", "commit", "date", "version", "saved", "form", "read_back", "model", "checkpoint"}
MEASURED = ("runs", "_ms", "_mb", "_per_s", "gflops")  # ends of names
RATES = ("gflops", "gbytes_per_s", "items_per_s")


class BadInput(Exception):
    pass


def read(path):
    """The records of a file, whichever of the two formats it has."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if text.lstrip().startswith("["):
            records = json.loads(text)
        else:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path}: not JSON: {error}") from None
    if not records or not all(isinstance(r, dict) and "bench" in r for r in records):
        raise BadInput(f"{path}: expected records of tuwen-bench, objects with a key 'bench'")
    return records


def key_of(record):
    """The fields that name a benchmark: everything but floats, environment and counts of samples. The model by its last folder."""
    named = {k: v for k, v in record.items() if k not in ENVIRONMENT and not k.endswith(MEASURED) and isinstance(v, (str, int))}
    if "model" in record:
        named["model"] = record["model"].rstrip("/").rsplit("/", 1)[-1]
    return tuple(sorted(named.items()))


def name_of(key, shared):
    first = [str(v) for k, v in key if k == "bench"]
    return " ".join(first + [f"{k}={v}" for k, v in key if k != "bench" and (k, v) not in shared])


def cost_of(record):
    """(cost, relative spread): milliseconds, or the inverse of a rate. None when the record holds neither."""
    median = record.get("median_ms")
    if isinstance(median, (int, float)) and median > 0:
        sd = record.get("sd_ms", 0.0)
        tail = (record["p95_ms"] - median) / 1.645 if "p95_ms" in record else sd  # 1.645: p95 of a normal distribution
        return median, max(0.0, min(sd, tail)) / median
    for rate in RATES:
        if isinstance(record.get(rate), (int, float)) and record[rate] > 0:
            return 1 / record[rate], 0.0
    return None


def summarize(records):
    """key -> (cost, spread, records)."""
    groups = {}
    for record in records:
        cost = cost_of(record)
        if cost is not None and "error" not in record:
            groups.setdefault(key_of(record), []).append((*cost, record))
    summary = {}
    for key, found in groups.items():
        costs = [cost for cost, _, _ in found]
        middle = statistics.median(costs)
        spread = (max(costs) - min(costs)) / 2 / middle if len(costs) > 1 else found[0][1]
        summary[key] = middle, spread, [record for _, _, record in found]
    return summary


def compare(old, new, least):
    """Rows (key, old cost, new cost, ratio, band, verdict) of the benchmarks that both have, in the order of the old file."""
    rows = []
    for key, (before, spread_before, _) in old.items():
        if key in new:
            after, spread_after, _ = new[key]
            ratio, band = after / before, max(least, 2 * math.hypot(spread_before, spread_after))
            verdict = "slower" if ratio > 1 + band else "faster" if ratio < 1 / (1 + band) else "same"
            rows.append((key, before, after, ratio, band, verdict))
    return rows


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--least", type=float, default=0.03, help="the narrowest band (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        records = [read(options.old), read(options.new)]
        old, new = (summarize(r) for r in records)
        rows = compare(old, new, options.least)
        if not rows:
            raise BadInput(f"{options.old} and {options.new} have no benchmark in common")
    except BadInput as error:
        print(f"bench_compare: {error}", file=sys.stderr)
        return 2
    for field in ("cpu", "compiler", "commit"):
        before, after = (sorted({str(r[field]) for r in side if field in r}) for side in records)
        print(f"{field}: {', '.join(before)}" + (f" -> {', '.join(after)}" if after != before else ""))
        if field == "cpu" and before != after:
            print("bench_compare: different machines: the ratios say little about the code", file=sys.stderr)
    shared = set.intersection(*(set(row[0]) for row in rows)) if len(rows) > 1 else set()
    width = max(len(name_of(row[0], shared)) for row in rows)
    print(f"{'':{width}}  {'old':>10}  {'new':>10}  ratio    band")
    for key, before, after, ratio, band, verdict in rows:
        timed = "median_ms" in old[key][2][0]
        before, after = (before, after) if timed else (1 / before, 1 / after)
        figures = f"{before:10.4g}  {after:10.4g}  {ratio:5.3f}  ±{band:5.1%}"
        print(f"{name_of(key, shared):{width}}  {figures}  {'' if verdict == 'same' else verdict}".rstrip())
    for path, mine, other in ((options.old, old, new), (options.new, new, old)):
        for key in mine:
            if key not in other:
                print(f"only in {path}: {name_of(key, shared)}")
    counts = {v: sum(row[-1] == v for row in rows) for v in ("slower", "same", "faster")}
    print(", ".join(f"{n} {v}" for v, n in counts.items()))
    return 1 if counts["slower"] else 0


if __name__ == "__main__":
    sys.exit(main())
