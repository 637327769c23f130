"""Scripts of released versions never change: databases out there were made by them. And an extension of the version in its control
file can be reached from each of them: by an update script that is released too, or made from updates/."""
import hashlib
import re
from pathlib import PurePosixPath

NAME = "released scripts are as they were, each leads to the current version, and the library is of it"


def check(tree):
    for name in tree.all_files:
        if name.endswith("/released/SHA256SUMS"):
            yield from changed(tree, PurePosixPath(name).parent)
        if name.endswith(".control"):
            yield from unreachable(tree, PurePosixPath(name))
    yield from library(tree)


def library(tree):
    """The library serves the version that its control file installs."""
    header = "extension/src/pg/extension.hpp"
    known = re.search(r'kVersion\[\] = "(.*)";', tree.text(header)) if tree.has(header) else None
    control = tree.text("extension/pulse.control") if tree.has("extension/pulse.control") else ""
    if known and f"default_version = '{known[1]}'" not in control:
        yield f"{header}: kVersion is {known[1]}, extension/pulse.control has another"


def changed(tree, folder):
    sums = dict(reversed(line.split()) for line in tree.text(f"{folder}/SHA256SUMS").splitlines())
    scripts = {PurePosixPath(name).name for name in tree.all_files if name.startswith(f"{folder}/") and name.endswith(".sql")}
    for script in sorted(scripts | set(sums)):
        if script not in scripts:
            yield f"{folder}/{script}: a released script is gone"
        elif hashlib.sha256((tree.root / f"{folder}/{script}").read_bytes()).hexdigest() != sums.get(script):
            yield f"{folder}/{script}: not what {folder}/SHA256SUMS says; a change goes to updates/"


def unreachable(tree, control):
    extension = control.stem
    folder = "sql/core" if extension == "pulse" else str(control.parent)
    version = re.search(r"^default_version = '(.*)'$", tree.text(str(control)), re.M)
    if version is None:
        yield f"{control}: no default_version"
        return
    scripts = {PurePosixPath(name).stem for name in tree.all_files if name.startswith(f"{folder}/released/{extension}--")}
    steps = [script.split("--")[1:] for script in scripts if script.count("--") == 2]
    steps += [PurePosixPath(name).stem.split("--") for name in tree.all_files
              if re.match(rf"{re.escape(folder)}/updates/[^/]+$", name) and not name.endswith(".after.sql")]
    reached = {version[1]}
    while more := {old for old, new in steps if new in reached} - reached:
        reached |= more
    for script in sorted(scripts):
        if script.count("--") == 1 and script.split("--")[1] not in reached:
            yield f"{folder}/released/{script}.sql: no update leads from it to {version[1]}"


PLANTED = {
    "sql/core/released/SHA256SUMS": "0  pulse--1.0.sql\n",
    "extension/pulse.control": "default_version = 1.1\n",
    "extension/src/pg/extension.hpp": 'constexpr char kVersion[] = "9.9";\n',
}
