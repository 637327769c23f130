"""clang-format 14 would change nothing."""
import re
import subprocess
from pathlib import Path

NAME = "C++ is formatted (make fmt)"


def check(tree):
    files = tree.files(suffixes=(".cpp", ".hpp", ".h"))
    if not files:
        return
    style = Path(__file__).resolve().parents[3] / ".clang-format"
    result = subprocess.run(["clang-format-14", f"--style=file:{style}", "--dry-run", *files], cwd=tree.root, text=True, capture_output=True)
    yield from sorted({f"{name}: make fmt would change it" for name in re.findall(r"^(\S+?):\d+:\d+: ", result.stderr, re.M)})
    if result.returncode != 0:
        yield result.stderr.strip()


PLANTED = {"bridge/src/base/a.cpp": "int   f( ){return 1;}\n"}
