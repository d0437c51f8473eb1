#!/usr/bin/env python3
"""Checks the rules that docs/architecture.md states about the source text. Prints one line per violation, exits 1 if any.

Who may include whom; where intrinsics, OpenMP, CUDA and JSON headers and -m flags may stand; no process-ending or printing
calls in the library; file length. scripts/check_objects.py checks what can only be seen in compiled objects."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE_SUFFIXES = {".h", ".hpp", ".c", ".cpp", ".cu", ".cuh"}
TOP_FOLDERS = ["core", "kernels", "tokenizer", "io", "models", "api", "include", "cli", "bench", "python", "tests", "demo"]
LIBRARY = ("core/", "kernels/", "tokenizer/", "io/", "models/", "api/", "include/", "python/")

# Headers that kernel implementations may use: plain data and arithmetic, no owning types.
PLAIN = ["core/dtype.h", "core/checked_math.h", "core/tensor.h",
         "kernels/kernel_table.h", "kernels/device_table.h", "kernels/weight_tiles.h", "kernels/activation.h",
         "kernels/resize_args.h"]
# folder prefix of the including file -> prefixes it may include; the longest matching prefix counts.
ALLOWED = {
    "core/": ["core/"],
    "tokenizer/": ["tokenizer/", "core/"],
    "io/": ["io/", "core/"],
    "kernels/": ["kernels/", "core/"],
    "kernels/reference/": ["kernels/reference/", *PLAIN],
    "kernels/cpu/": ["kernels/cpu/", *PLAIN],
    "kernels/cuda/": ["kernels/cuda/", *PLAIN],
    "kernels/check/": ["kernels/check/", *PLAIN],
    "models/": ["models/", "io/", "core/", "kernels/ops.h", "kernels/device.h", "kernels/select.h", "kernels/resize.h", "kernels/activation.h"],
    "api/": ["api/", "tuwen/", "models/", "tokenizer/", "io/", "kernels/check/", "kernels/select.h", "kernels/device.h", "core/"],
    "api/device": ["api/", "tuwen/", "kernels/device.h", "kernels/cuda/table_cuda.h", "core/"],
    "include/": ["tuwen/"],
    "cli/": ["cli/", "tuwen/"],
    "bench/": ["bench/", "tuwen/", "kernels/", "core/", "cli/demo_model.h"],
    "bench/bench_encode": ["bench/", "tuwen/"],
    "python/": ["python/", "tuwen/"],
    "tests/": [""],
    "tests/package/": ["tuwen/"],
}
# header pattern -> (files that may include it, reason)
RESTRICTED = [
    (r"^(imm|x86|avx|avx2|avx512\w*|fma|smm|tmm|nmm|wmm)intrin\.h$", r"^kernels/cpu/|^core/(fp_environment\.h|parallel\.cpp|cpu_info\.cpp)$|^tests/|^bench/", "intrinsics"),
    (r"^([xep]mmintrin|cpuid)\.h$", r"^kernels/cpu/|^core/|^tests/|^bench/", "SSE control words and CPUID"),
    (r"^omp\.h$", r"^core/parallel|^tests/|^bench/", "OpenMP"),
    (r"^(cuda|cublas|cudnn)\w*\.h$", r"^kernels/cuda/|^core/device|^tests/|^bench/", "CUDA"),
    (r"^nlohmann/", r"^cli/json_lines\.cpp$|^(io|tokenizer)/\w+\.cpp$|^(io|tokenizer)/json\w*\.h$|^models/\w*config\w*\.cpp$|^(tests|bench)/", "the JSON library"),
    (r"^(jpeglib|png|webp/.*|stb/.*|stb_image)(\.h)?$", r"^io/\w+\.cpp$|^tests/", "an image library"),
    (r"^lmdb\.h$", r"^cli/lmdb_records\.cpp$|^tests/", "the LMDB library"),
    (r"^faiss/", r"^cli/cluster_centres\.cpp$|^tests/", "the clustering library"),
    (r"^xxhash\.h$", r"^cli/content_hash\.cpp$|^tests/", "the hash library"),
    (r"^CLI/", r"^cli/|^bench/", "the command line library"),
    (r"^(Eigen/|catch2/)", r"^tests/|^bench/", "a test library"),
    (r"^(nanobind/.*|Python\.h)$", r"^python/native/", "Python"),
    (r"^(iostream|cassert|assert\.h)$", r"^(cli|bench|tests)/", "printing or asserting"),
]
BANNED_IN_LIBRARY = [
    (r"(?<![\w.>])(?:std::)?(abort|exit|_exit|_Exit|quick_exit|terminate)\s*\(", "ends the process"),
    (r"(?<![\w.>])(?:std::)?(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)\s*\(", "prints"),
    (r"(?<!static_)\bassert\s*\(", "asserts"),
    (r"\bstd::(cout|cerr|clog)\b", "prints"),
    (r"(?<![\w.>])(?:std::)?(setenv|putenv|srand|rand|setlocale|signal|sigaction)\s*\(", "changes the process"),
]
TARGET_FLAG = re.compile(r"(?<![\w-])-m(avx|fma|f16c|bmi|lzcnt|arch|tune|cpu|sse|prefer-vector|amx|popcnt)\S*")
UNSAFE_MATH = re.compile(r"-f(fast-math|unsafe-math-optimizations|associative-math|finite-math-only)|-Ofast")
TARGET_ATTRIBUTE = re.compile(r"__attribute__\s*\(\(\s*target|#\s*pragma\s+(GCC|clang)\s+(target|attribute)")
SOFT_LINES, HARD_LINES = 400, 600
MAX_COLUMNS = 140


def strip_comments_and_strings(text: str) -> str:
    """Blanks comments and literals, keeping line numbers. Includes are read before this."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def source_files():
    for folder in TOP_FOLDERS:
        yield from sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in SOURCE_SUFFIXES and p.is_file())


def allowed_for(name: str):
    prefix = max((p for p in ALLOWED if name.startswith(p)), key=len, default=None)
    return None if prefix is None else ALLOWED[prefix]


def check_includes(name: str, text: str):
    allowed = allowed_for(name)
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not match:
            continue
        quoted, target = match.group(1) == '"', match.group(2)
        ours = target.split("/")[0] in TOP_FOLDERS or target.startswith("tuwen/")
        where = f"{name}:{number}"
        if quoted and not ours:
            yield f"{where}: include of \"{target}\": paths start at the root (\"core/error.h\"), other libraries stand in <>"
        if ours and target.startswith("tuwen/") and not name.startswith(("api/", "cli/", "bench/", "python/", "tests/", "include/")):
            yield f"{where}: a layer below api includes the public header {target}"
        if ours and allowed is not None and not any(target.startswith(p) for p in allowed):
            yield f"{where}: may not include {target}; allowed here: {', '.join(allowed)}"
        for pattern, places, what in RESTRICTED:
            if re.search(pattern, target) and not re.search(places, name):
                yield f"{where}: includes <{target}> ({what}); allowed only in files matching {places}"


def check_text(name: str, text: str):
    code = strip_comments_and_strings(text)
    lines = code.splitlines()
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if name.startswith(LIBRARY):
            for pattern, what in BANNED_IN_LIBRARY:
                match = re.search(pattern, line)
                if match:
                    yield f"{where}: {match.group().strip()} {what}; library code returns errors"
        if TARGET_ATTRIBUTE.search(line):
            yield f"{where}: instruction sets are chosen per file in cmake/isa.cmake, not by attribute or pragma"
        if re.search(r"#\s*pragma\s+omp", line) and not re.match(r"core/parallel|tests/|bench/", name):
            yield f"{where}: OpenMP is used behind core/parallel only"
    if name.startswith(("kernels/cpu/", "kernels/reference/")) and re.search(r"#\s*if.*__AVX", code):
        if not re.match(r"kernels/cpu/simd_", name):
            yield f"{name}: #if on __AVX*: only simd_*.h may fork on the instruction set"
    if name.startswith(LIBRARY) and pathlib.Path(name).suffix in {".h", ".cuh"} and not name.startswith("include/"):
        if not re.search(r"^#pragma once$", text, re.M):
            yield f"{name}: header without #pragma once"
    if not re.fullmatch(r"[a-z0-9_./-]+", name):
        yield f"{name}: file names are lower-case"


def check_length(name: str, text: str):
    generated = "generated" in "\n".join(text.splitlines()[:5]).lower()
    count = text.count("\n")
    if generated:
        return
    if count > HARD_LINES:
        yield f"{name}: {count} lines, more than {HARD_LINES}: split it"
    elif count > SOFT_LINES:
        print(f"note: {name}: {count} lines, more than {SOFT_LINES}: is it still one concern?")
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > MAX_COLUMNS:
            yield f"{name}:{number}: {len(line)} columns, more than {MAX_COLUMNS}"


def check_build_files():
    files = [ROOT / "CMakeLists.txt", ROOT / "CMakePresets.json", *ROOT.glob("cmake/*"), *ROOT.glob("tests/**/CMakeLists.txt")]
    for path in files:
        if not path.is_file():
            continue
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            line = line.split("#")[0] if path.suffix in {".cmake", ".txt"} else line
            if TARGET_FLAG.search(line) and name != "cmake/isa.cmake":
                yield f"{name}:{number}: instruction-set flags stand in cmake/isa.cmake only"
            if UNSAFE_MATH.search(line):
                yield f"{name}:{number}: unsafe floating-point options change results"


def main() -> int:
    violations, count = list(check_build_files()), 0
    for path in source_files():
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        count += 1
        for check in (check_includes, check_text, check_length):
            violations.extend(check(name, text))
    for violation in violations:
        print(violation)
    print(f"check_layers: {count} files, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
