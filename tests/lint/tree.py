"""The files that checks look at: what git tracks or would track, or a folder of a self-test without git."""
import subprocess
from functools import cached_property
from pathlib import Path


class Tree:
    def __init__(self, root: Path, only: list[str] = ()):
        self.root, self.only = root, set(only)

    @cached_property
    def all_files(self) -> list[str]:
        """Paths from the root, sorted; deleted files are left out."""
        if (self.root / ".git").exists():
            output = subprocess.check_output(["git", "-C", self.root, "ls-files", "-co", "--exclude-standard", "-z"], text=True)
            names = output.split("\0")[:-1]
        else:
            names = [str(path.relative_to(self.root)) for path in self.root.rglob("*")]
        return sorted(name for name in set(names) if (self.root / name).is_file())

    def files(self, *prefixes: str, suffixes: tuple[str, ...] = ("",)) -> list[str]:
        """Those under one of the prefixes and with one of the suffixes; only the named ones when names were given."""
        return [name for name in self.all_files
                if name.startswith(prefixes or "") and name.endswith(suffixes) and (not self.only or name in self.only)]

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def has(self, name: str) -> bool:
        return (self.root / name).exists()
