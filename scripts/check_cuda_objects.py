#!/usr/bin/env python3
"""Checks what nvcc makes of the CUDA kernels, for every architecture of the build; no GPU is needed.

    scripts/check_cuda_objects.py BUILD

Compiles kernels/cuda/*.cu as compile_commands.json of BUILD says and demands that no kernel spills registers or keeps anything in
local memory, that ptxas makes products of warpgroups wait for nothing that the source does not wait for, and, where cuobjdump is at
hand, that kernels of tensor cores have their instructions (HMMA, QMMA; those of E4M3 on architectures that know the type; HGMMA and
QGMMA for sm_90a), none has loads or stores of local memory (LDL, STL), and from sm_90 on every kernel waits for those in front of it
(ACQBULK) before it lets the next one begin (PREEXIT), writes to global memory or ends. Prints the registers of the largest kernels. Exit status
77: the build has no nvcc."""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

TENSOR_CORE_KERNELS = ("linear_narrow_kernel", "attention_half_kernel")
TENSOR_CORE = re.compile(r"\b(HMMA\.16816\.F32(\.BF16)?|QMMA\.16832\.F32\.E4M3\.E4M3)\b")
WARPGROUP_KERNEL, WARPGROUP_ARCH = "linear_sm90_kernel", "sm_90a"  # empty for any other
WARPGROUP_PRODUCT = {  # by the type in the kernel's name
    "DTypeE1E": re.compile(r"\bHGMMA\.64x\d+x16\.F32(?!\.BF16)"),
    "DTypeE2E": re.compile(r"\bHGMMA\.64x\d+x16\.F32\.BF16"),
    "DTypeE10E": re.compile(r"\bQGMMA\.64x\d+x32\.F32\.E4M3\.E4M3"),
}
# griddepcontrol.wait and griddepcontrol.launch_dependents, and what has to stand behind them in the code.
WAITS, LETS_BEGIN, FIRST_EARLY_ARCH = re.compile(r"\bACQBULK\b"), re.compile(r"\bPREEXIT\b"), 90
AFTER_WAITING = re.compile(r"\b(PREEXIT|STG|RED|ATOMG?|EXIT)\b")
# "(C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to ...", "(C7517) warpgroup.wait is
# injected ..." and their neighbours.
SERIALIZED = re.compile(r"^.*\(C75[01]\d\).*$", re.M)
E4M3_KERNEL = re.compile(r"DTypeE10E")  # as names of template instances have it: core/dtype.h
WITHOUT_E4M3 = ("sm_80", "sm_86")
USAGE = re.compile(r"Compiling entry function '(\S+)' for '(\w+)'(.*?)Used (\d+) registers", re.S)
MEMORY = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")


def nvcc_commands(build: pathlib.Path):
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    for entry in entries:
        if entry["file"].endswith(".cu") and "nvcc" in entry["command"].split()[0]:
            yield entry


def compile_one(entry, folder: pathlib.Path):
    """(source name, object, what nvcc said); the command of the build with another output and without dependencies."""
    words, out = shlex.split(entry["command"]), folder / (pathlib.Path(entry["file"]).name + ".o")
    words[words.index("-o") + 1] = str(out)
    if "-MF" in words:
        words[words.index("-MF") + 1] = str(out) + ".d"
    done = subprocess.run(words, cwd=entry["directory"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"check_cuda_objects: {entry['file']} does not compile:\n{done.stdout}{done.stderr}")
    return pathlib.Path(entry["file"]).name, out, done.stdout + done.stderr


def check_memory(source: str, text: str, registers: list):
    for name, arch, between, count in USAGE.findall(text):
        registers.append((int(count), arch, name, source))
        stack, stores, loads = map(int, MEMORY.search(between).groups())
        if stack or stores or loads:
            yield f"{source}: {name} for {arch}: {stack} bytes of stack, {stores} spilled, {loads} read back"


def is_empty(name: str, arch: str) -> bool:
    return WARPGROUP_KERNEL in name and arch != WARPGROUP_ARCH


def check_order(function: str):
    """What is wrong with how a kernel follows the one in front of it."""
    waits, begins, other = (pattern.search(function) for pattern in (WAITS, LETS_BEGIN, AFTER_WAITING))
    if not waits:
        yield "does not wait for earlier kernels"
    elif not begins:
        yield "lets no other kernel begin"
    elif other.start() < waits.start():
        yield f"has {other.group()} in front of its wait for earlier kernels"


def check_instructions(source: str, out: pathlib.Path, cuobjdump: str):
    text = subprocess.run([cuobjdump, "--dump-sass", out], capture_output=True, text=True, check=True).stdout
    for image in re.split(r"^\s*code for ", text, flags=re.M)[1:]:
        arch = image.split()[0]
        for function in re.split(r"^\s*Function : ", image, flags=re.M)[1:]:
            name = function.split()[0]
            promised = any(k in name for k in TENSOR_CORE_KERNELS) and not (
                E4M3_KERNEL.search(name) and arch in WITHOUT_E4M3)
            if promised and not TENSOR_CORE.search(function):
                yield f"{source}: {name} for {arch} has no tensor-core instruction"
            if WARPGROUP_KERNEL in name and not is_empty(name, arch) and not any(
                    kind in name and product.search(function) for kind, product in WARPGROUP_PRODUCT.items()):
                yield f"{source}: {name} for {arch} has no product of a warpgroup"
            if int(re.sub(r"\D", "", arch)) >= FIRST_EARLY_ARCH and not is_empty(name, arch):
                yield from (f"{source}: {name} for {arch} {what}" for what in check_order(function))
            if match := re.search(r"\b(LDL|STL)\b", function):
                yield f"{source}: {name} for {arch} has {match.group()}: local memory"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    commands = list(nvcc_commands(pathlib.Path(sys.argv[1])))
    if not commands:
        print("check_cuda_objects: skipped, this build has no nvcc")
        return 77
    cuobjdump = os.environ.get("CUOBJDUMP") or shutil.which("cuobjdump") or shutil.which(
        str(pathlib.Path(shlex.split(commands[0]["command"])[0]).with_name("cuobjdump")))
    violations, registers = [], []
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, out, text in pool.map(lambda c: compile_one(c, pathlib.Path(folder)), commands):
            violations += check_memory(source, text, registers)
            violations += [f"{source}: {line.strip()}" for line in SERIALIZED.findall(text)]
            if cuobjdump:
                violations += check_instructions(source, out, cuobjdump)
    for count, arch, name, _ in sorted(registers, reverse=True)[:5]:
        print(f"{count:4} registers  {arch:8} {name}")
    for violation in violations:
        print(violation)
    if not cuobjdump:
        print("check_cuda_objects: instructions not looked at, there is no cuobjdump (CUOBJDUMP names one)")
    print(f"check_cuda_objects: {len(registers)} kernels of {len(commands)} files, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
