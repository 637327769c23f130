"""Shows for each check that it can fail: every file of its PLANTED, alone in an empty folder, must be reported by it."""
import tempfile
from pathlib import Path

from tree import Tree


def unnoticed(checks) -> list[str]:
    violations = []
    for check in checks:
        for name, text in check.PLANTED.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / name
                path.parent.mkdir(parents=True)
                path.write_text(text)
                if not list(check.check(Tree(Path(folder)))):
                    violations.append(f"{check.__name__} does not notice {name}: {text.strip()!r}")
    return violations
