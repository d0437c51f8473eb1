#!/usr/bin/env python3
"""Mutation check: breaks the source in one small way at a time and demands that the tests notice.

    scripts/mutate.py                 every mutation of scripts/mutations: about an hour on two idle cores
    scripts/mutate.py gemm attention  those whose name contains one of the words
    scripts/mutate.py --list

Works on a copy of the tree (tracked files and new ones, as they are on disk) in a temporary directory. There the tests are built and
must pass; then, for each mutation, the named file is changed, the tests of the area are built and run without the slow ones,
and one of them must fail. A test is a test program, or cli-NAME: tests/cli/test_NAME.py, which drives the command line. A mutation whose old text is not in the file exactly once stops the script: the
source has moved and the mutation must move with it. So does one that does not compile.

Exit status 0: every mutation was noticed. 1: some survived. 2: the check itself could not be made.
Prints a table for docs/mutations.md; --jobs, --keep and --build-type as their help says.
"""

import argparse
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from mutations import MUTATIONS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A mutant that hangs is noticed too. What counts as hanging is measured on the unchanged tree, so that a busy machine does not
# pass for a failing test.
LEAST_LIMIT, LIMIT_FACTOR = 300, 10  # seconds; times the unchanged program


def main():
    arguments = parse_arguments()
    mutations = [m for m in MUTATIONS if not arguments.words or any(w in m.name for w in arguments.words)]
    check_texts(mutations)
    if arguments.list:
        for mutation in mutations:
            print(f"{mutation.name:32} {mutation.file:34} {mutation.breaks}")
        return 0
    cpu_flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "").split()
    skipped = [m for m in mutations if m.needs and m.needs not in cpu_flags]
    mutations = [m for m in mutations if m not in skipped]
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="tuwen-mutations-"))
    try:
        tree, build = scratch / "tree", scratch / "build"
        copy_tree(tree)
        tests = sorted({t for m in mutations for t in m.tests})
        configure(tree, build, arguments.build_type, with_commands=any("cli" in t for t in tests))
        limits = baseline(tree, build, tests, arguments.jobs)
        results = [(m, *try_mutation(m, tree, build, arguments.jobs, limits)) for m in mutations]
    finally:
        if arguments.keep:
            print(f"kept: {scratch}", file=sys.stderr)
        else:
            shutil.rmtree(scratch)
    return print_table(results, skipped)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--list", action="store_true", help="print the mutations and stop")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers at a time")
    parser.add_argument("--keep", action="store_true", help="leave the scratch directory")
    parser.add_argument("--build-type", default="Release")
    return parser.parse_args()


def check_texts(mutations):
    names = [m.name for m in mutations]
    for mutation in mutations:
        count = (ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.old)
        if count != 1:
            stop(f"{mutation.name}: {mutation.file} holds its old text {count} times, expected once:\n{mutation.old}")
        if names.count(mutation.name) != 1:
            stop(f"{mutation.name}: two mutations have this name")


def copy_tree(destination):
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                             capture_output=True, check=True).stdout.decode()
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name)


def configure(tree, build, build_type, with_commands):
    command = ["cmake", "-S", tree, "-B", build, "-G", "Ninja", f"-DCMAKE_BUILD_TYPE={build_type}", "-DTUWEN_BUILD_TESTS=ON",
               "-DTUWEN_BUILD_BENCH=OFF", "-DTUWEN_WERROR=OFF"]
    # Without faiss the tests of clusters would be left out in silence.
    command += ["-DTUWEN_BUILD_CLI=ON", "-DTUWEN_FAISS=ON"] if with_commands else ["-DTUWEN_BUILD_CLI=OFF"]
    if shutil.which("ccache"):
        command.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        stop(f"configuring failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def baseline(tree, build, tests, jobs):
    """Seconds that each test may take."""
    started = time.monotonic()
    if error := compile_tests(build, tests, jobs):
        stop(f"the unchanged tree does not build:\n{error}")
    limits = {}
    for test in tests:
        begun = time.monotonic()
        if failure := run_test(tree, build, test, None):
            stop(f"the unchanged tree fails {test}: {failure}")
        limits[test] = max(LEAST_LIMIT, LIMIT_FACTOR * (time.monotonic() - begun))
    print(f"unchanged tree: {', '.join(tests)} pass ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
    return limits


def try_mutation(mutation, tree, build, jobs, limits):
    """(what noticed it or None, seconds)"""
    started = time.monotonic()
    path = tree / mutation.file
    original = path.read_text(encoding="utf-8")
    path.write_text(original.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        if error := compile_tests(build, mutation.tests, jobs):
            stop(f"{mutation.name} does not compile:\n{error}")
        noticed = next(filter(None, (run_test(tree, build, test, limits[test]) for test in mutation.tests)), None)
    finally:
        path.write_text(original, encoding="utf-8")
    seconds = time.monotonic() - started
    print(f"{mutation.name:32} {'noticed: ' + noticed if noticed else 'SURVIVED'}  ({seconds:.0f} s)", file=sys.stderr, flush=True)
    return noticed, seconds


def compile_tests(build, tests, jobs):
    targets = {"tuwen_cli" if is_command_test(test) else test for test in tests}
    done = subprocess.run(["cmake", "--build", build, "-j", str(jobs), "--target", *sorted(targets)], capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stdout + done.stderr)[-4000:]


def is_command_test(test):
    return test.startswith("cli-")


def run_test(tree, build, test, limit):
    """None when the test passes, else the name of the first test case that fails, or how the program ended."""
    environment = dict(os.environ)
    if is_command_test(test):
        command = [sys.executable, "-B", tree / "tests" / "cli" / f"test_{test.removeprefix('cli-')}.py", "--failfast"]
        environment |= {"TUWEN_CLI": str(build / "tuwen"), "TUWEN_TEST_DATA": str(tree / "tests" / "data")}
        failed_case = r"^(?:FAIL|ERROR): (\w+)"  # unittest
    else:
        command = [next(p for p in build.rglob(test) if p.is_file() and os.access(p, os.X_OK)), "~[slow]", "--abort"]
        failed_case = r"^-{70,}\n((?:.+\n)+?)-{70,}\n"  # Catch2
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=limit, env=environment)
    except subprocess.TimeoutExpired:
        return f"{test}: no end after {limit:.0f} s"
    if done.returncode == 0:
        return None
    case = re.search(failed_case, done.stdout + done.stderr, re.MULTILINE)
    how = " ".join(case.group(1).split()) if case else "no test case named"
    return f"{test}: {how}" + (f" (signal {-done.returncode})" if done.returncode < 0 else "")


def print_table(results, skipped):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    survived = [m for m, noticed, _ in results if not noticed]
    print(f"{len(results)} mutations, {len(results) - len(survived)} noticed, {len(survived)} survived, {len(skipped)} not run "
          f"(this CPU cannot); {sum(s for _, _, s in results) / 60:.0f} minutes; {cpu}, {os.cpu_count()} threads\n")
    print("| mutation | what it breaks | file | noticed by |\n|---|---|---|---|")
    for mutation, noticed, _ in results:
        print(f"| {mutation.name} | {mutation.breaks} | {mutation.file} | {noticed or '**nothing**'} |")
    for mutation in skipped:
        print(f"| {mutation.name} | {mutation.breaks} | {mutation.file} | not run: needs {mutation.needs} |")
    return 1 if survived else 0


def stop(message):
    print(f"mutate.py: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    sys.exit(main())
