#!/usr/bin/python3
"""Runs every check of tests/lint/checks on the repository, or only on the files named (the pre-commit hook does that).

A check is a module with a NAME and a function check(tree) that yields one sentence a violation. It sees the repository through
tree.py only. First self_test.py shows for each check that it can fail. Output is TAP; exit code 1 when anything is not ok.
"""
import importlib
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from tree import Tree  # noqa: E402
import self_test  # noqa: E402


def main() -> int:
    names = sorted(path.stem for path in (Path(__file__).parent / "checks").glob("*.py"))
    checks = [importlib.import_module(f"checks.{name}") for name in names]
    tree = Tree(Path(__file__).resolve().parents[2], only=sys.argv[1:])
    results = [("each check reports a violation planted for it", self_test.unnoticed(checks))]
    results += [(check.NAME, list(check.check(tree))) for check in checks]
    for number, (name, violations) in enumerate(results, 1):
        print(f"{'not ok' if violations else 'ok'} {number} - {name}")
        for violation in violations:
            print(f"    {violation}")
    print(f"1..{len(results)}")
    return 1 if any(violations for _, violations in results) else 0


if __name__ == "__main__":
    sys.exit(main())
