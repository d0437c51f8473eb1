#!/usr/bin/env python3
"""Draws records of tuwen-bench and bench/peers/compare (json or jsonl) as SVG or PNG.

    plot_bench.py roofline peak.jsonl kernels.jsonl -o roofline.svg     # what each operation reaches of this machine's limits
    plot_bench.py bars compare.jsonl -o compare.svg                     # one panel a workload and precision, one bar an engine

roofline needs `tuwen-bench peak` records and, of the same number of threads, records with gflops and gbytes_per_s (kernels,
profiles). Needs matplotlib: Debian's python3-matplotlib, or the environment of bench/peers/setup.
"""
import argparse
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from bench_compare import BadInput, read  # noqa: E402


def roofline_data(records, threads):
    """(name -> GFLOP/s, name -> GB/s, [(label, FLOP a byte, GFLOP/s, table)])."""
    peaks = [r for r in records if r["bench"] == "peak" and r.get("threads") == threads]
    compute = {r["what"]: r["gflops"] for r in peaks if "gflops" in r}
    memory = {r["what"]: r["gbytes_per_s"] for r in peaks if "gbytes_per_s" in r}
    points = [(f"{r.get('op', r['bench'])} {r.get('shape', '')}".strip(), r["gflops"] / r["gbytes_per_s"], r["gflops"], r.get("isa", ""))
              for r in records
              if r["bench"] != "peak" and r.get("threads") == threads and r.get("gflops") and r.get("gbytes_per_s")]
    if not compute or not memory:
        raise BadInput(f"no `tuwen-bench peak` records for {threads} threads")
    if not points:
        raise BadInput(f"no records with gflops and gbytes_per_s for {threads} threads")
    return compute, memory, points


def workload_of(record):
    if "workload" in record:
        return record["workload"]
    return f"{record['tower']} batch {record['batch']}" + (f" tokens {record['tokens']}" if record["tower"] == "text" else "")


def bars_data(records):
    """(model, workload, precision) -> {engine: median of its medians}, in the order of the records."""
    panels = {}
    for r in records:
        if "median_ms" in r and r["bench"] == "encode":
            model = pathlib.PurePath(r.get("model", "")).name
            panel = panels.setdefault((model, workload_of(r), r["precision"]), {})
            panel.setdefault(r.get("engine", f"tuwen {r.get('isa', '')}".strip()), []).append(r["median_ms"])
    if not panels:
        raise BadInput("no records of encodes with median_ms")
    return {key: {e: statistics.median(v) for e, v in panel.items()} for key, panel in panels.items()}


def draw_roofline(plt, records, threads):
    compute, memory, points = roofline_data(records, threads)
    figure, axes = plt.subplots(figsize=(9, 6))
    left = min(p[1] for p in points) / 4
    right = max(max(p[1] for p in points), max(compute.values()) / min(memory.values())) * 4
    top = max(compute.values())
    for name, peak in sorted(compute.items(), key=lambda item: item[1]):
        axes.plot([left, right], [peak, peak], color="black", linewidth=0.8)
        axes.annotate(f"{name}: {peak:.0f} GFLOP/s", (right, peak), ha="right", va="bottom", fontsize=8)
    for name, bandwidth in memory.items():
        axes.plot([left, top / bandwidth], [left * bandwidth, top], color="grey", linewidth=0.8, linestyle="--")
        axes.annotate(f"{name}: {bandwidth:.0f} GB/s", (left, left * bandwidth), fontsize=7, rotation=35, va="bottom",
                      rotation_mode="anchor", color="grey")
    for table, marker in zip(dict.fromkeys(p[3] for p in points), "os^Dv<>P*"):
        mine = [p for p in points if p[3] == table]
        axes.scatter([p[1] for p in mine], [p[2] for p in mine], s=18, marker=marker, label=table, alpha=0.8)
        best = max(mine, key=lambda p: p[2])
        axes.annotate(best[0], best[1:3], textcoords="offset points", xytext=(5, -10), fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="FLOP a byte that has to move", ylabel="GFLOP/s", xlim=(left, right),
             title=f"{next((r['cpu'] for r in records if 'cpu' in r), '')}, {threads} thread{'s' if threads > 1 else ''}")
    axes.legend(loc="lower right")
    return figure


def draw_bars(plt, records):
    panels = bars_data(records)
    engines = list(dict.fromkeys(e for panel in panels.values() for e in panel))
    colours = {e: "#c0392b" if e.startswith("tuwen") else plt.get_cmap("tab20c")(4 + i % 16) for i, e in enumerate(engines)}
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    height = 0.7 + 0.32 * max(len(panel) for panel in panels.values())
    figure, grid = plt.subplots(rows, columns, figsize=(4.6 * columns, height * rows), squeeze=False, layout="constrained")
    for axes in grid.flat[len(panels):]:
        axes.axis("off")
    for axes, ((model, workload, precision), panel) in zip(grid.flat, panels.items()):
        order = sorted(panel, key=panel.get, reverse=True)
        bars = axes.barh(order, [panel[e] for e in order], color=[colours[e] for e in order])
        axes.bar_label(bars, fmt="%.3g", padding=2, fontsize=8)
        axes.set_title(f"{model} {workload}, {precision}".strip(), fontsize=9)
        axes.set_xlabel("ms", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.margins(x=0.15)
    return figure


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["roofline", "bars"])
    parser.add_argument("records", nargs="+")
    parser.add_argument("-o", "--output", required=True, help="ends in .svg or .png")
    parser.add_argument("--threads", type=int, default=1, help="which records roofline draws (%(default)s)")
    options = parser.parse_args(arguments)
    if not options.output.endswith((".svg", ".png")):
        parser.error("--output: expected a name ending in .svg or .png")
    try:
        import matplotlib
    except ImportError:
        print("plot_bench: matplotlib is missing: install python3-matplotlib, or use the python of bench/peers/setup", file=sys.stderr)
        return 2
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "tuwen"  # the same records give the same file
    import matplotlib.pyplot as plt

    try:
        records = [record for path in options.records for record in read(path)]
        figure = draw_roofline(plt, records, options.threads) if options.what == "roofline" else draw_bars(plt, records)
    except BadInput as error:
        print(f"plot_bench: {error}", file=sys.stderr)
        return 2
    figure.savefig(options.output, dpi=150, metadata={"Date": None} if options.output.endswith(".svg") else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
