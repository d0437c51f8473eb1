#!/usr/bin/env python3
"""Checks what can only be seen in compiled code. Usage: scripts/check_objects.py BUILD_DIRECTORY   (a release build)

- libtuwen.so exports exactly the functions that the C headers in include/tuwen declare.
- Objects compiled for an instruction set share no symbol with others (weak or inline functions: the linker would keep one copy,
  perhaps the one this CPU cannot run) and run nothing before main.
- The AVX-512 objects use zmm registers, the AVX2 objects use ymm and no zmm, all other objects neither.
- The library has no mutable globals and never calls what prints or ends the process.
Needs nm, objdump and readelf (binutils). Prints one line per violation, exits 1 if any."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARY_LAYERS = ("core", "kernels", "io", "tokenizer", "models")
FORBIDDEN_CALLS = {"abort", "exit", "_exit", "_Exit", "quick_exit", "__assert_fail", "printf", "__printf_chk", "puts", "putchar",
                   "perror", "__fprintf_chk", "fprintf", "_ZSt4cout", "_ZSt4cerr", "_ZSt4clog", "setenv", "putenv", "signal"}
# State of the C++ run-time itself (such as the waiters of std::atomic::wait) and exception references.
ALLOWED_DATA = re.compile(r"^(_ZGV|_ZZ?NK?St|DW\.ref\.|_ZStL8__ioinit|__TMC_END__|completed\.0)")


def run(*command) -> str:
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def objects(build: pathlib.Path):
    """Objects of the library layers and of the shared library's own sources."""
    for layer in LIBRARY_LAYERS:
        yield from sorted((build / f"CMakeFiles/tuwen_{layer}.dir").rglob("*.o"))
    yield from sorted((build / "CMakeFiles/tuwen.dir").rglob("*.o"))


def isa_of(obj: pathlib.Path):
    match = re.search(r"_(avx2|avx512)\w*\.cpp\.o$", obj.name)
    return match.group(1) if match and "kernels/cpu" in obj.as_posix() else None


def symbols(obj: pathlib.Path):
    """(name, type letter) of each symbol."""
    for line in run("nm", "-P", obj).splitlines():
        fields = line.split()
        if len(fields) >= 2:
            yield fields[0], fields[1]


def writable_symbols(obj: pathlib.Path):
    """Names of symbols in .data or .bss: the mutable globals. Thread-local and relocated constants live elsewhere."""
    for line in run("objdump", "-t", obj).splitlines():
        match = re.match(r"^[0-9a-f]+ ([lgu! ]).{5}([O ]) (\.(?:data|bss)(?:\.(?!rel\.ro)\S+)?)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", line)
        if match and match.group(2) == "O" and not ALLOWED_DATA.match(match.group(4)):
            yield match.group(4)


def declared_functions() -> set:
    text = "".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "include/tuwen").glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return set(re.findall(r"TUWEN_API[^;(]*?\b(tuwen_\w+)\s*\(", text))


def check_exports(build: pathlib.Path):
    exported = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--defined-only", build / "libtuwen.so").splitlines()
                if line.split()[-2] != "A"}
    for name in sorted(exported - declared_functions()):
        yield f"libtuwen.so exports {name}, which tuwen.h does not declare"
    for name in sorted(declared_functions() - exported):
        yield f"tuwen.h declares {name}, which libtuwen.so does not export"


def check_isa_objects(all_objects):
    defined_elsewhere = {name for obj in all_objects if not isa_of(obj) for name, kind in symbols(obj) if kind in "TWVDBR"}
    for obj in all_objects:
        isa = isa_of(obj)
        code = run("objdump", "-d", "--no-show-raw-insn", obj)
        ymm, zmm = "%ymm" in code, "%zmm" in code
        if isa is None and (ymm or zmm):
            yield f"{obj.name}: wide registers outside the instruction-set objects"
        if isa == "avx512" and not zmm:
            yield f"{obj.name}: no zmm register: not compiled for AVX-512?"
        if isa == "avx2" and (zmm or not ymm):
            yield f"{obj.name}: {'zmm registers' if zmm else 'no ymm register'} in an AVX2 object"
        if isa is None:
            continue
        for name, kind in symbols(obj):
            if kind in "WVu" and not name.startswith("DW.ref."):
                yield f"{obj.name}: weak symbol {name}: the linker may keep a copy that another CPU cannot run"
            elif kind in "TDBR" and name in defined_elsewhere:
                yield f"{obj.name}: {name} is defined in other objects too"
        if re.search(r"\.(init_array|ctors)\b", run("readelf", "-SW", obj)):
            yield f"{obj.name}: dynamic initialiser: it would run before the CPU is known to support it"


def check_library_objects(all_objects):
    for obj in all_objects:
        for name in writable_symbols(obj):
            yield f"{obj.name}: mutable global {name}"
        for name, kind in symbols(obj):
            if kind == "U" and name in FORBIDDEN_CALLS:
                yield f"{obj.name}: calls {name}"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    build = pathlib.Path(sys.argv[1])
    all_objects = list(objects(build))
    if not all_objects:
        print(f"check_objects: no objects under {build}", file=sys.stderr)
        return 2
    violations = [*check_exports(build), *check_isa_objects(all_objects), *check_library_objects(all_objects)]
    for violation in violations:
        print(violation)
    isas = [isa_of(o) for o in all_objects]
    print(f"check_objects: {len(all_objects)} objects ({isas.count('avx2')} avx2, {isas.count('avx512')} avx512), "
          f"{len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
