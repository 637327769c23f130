"""Files stay short, say what is left to do in issues and not in comments, and name no path of somebody's machine."""
import re

NAME = "files are short, finished and portable"
LIMIT = 400
EXEMPT = re.compile(r"(^|/)(package-lock\.json|LICENSE|CHANGELOG\.md)$|^tests/(isolation/expected|fuzz/corpus)/|/released/|\.(png|svg|dict|bin)$")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|HA" r"CK)\b")
MACHINE = re.compile(r"/(tmp/w|work|home/\w+|root)/")


def check(tree):
    for name in tree.files():
        if EXEMPT.search(name):
            continue
        text = tree.text(name)
        lines = text.count("\n")
        if lines > LIMIT:
            yield f"{name}: {lines} lines, more than {LIMIT}: one file, one noun"
        for number, line in enumerate(text.split("\n"), 1):
            if UNFINISHED.search(line) and not name.startswith("tests/"):
                yield f"{name}:{number}: {UNFINISHED.search(line)[0]}"
            if MACHINE.search(line) and not name.startswith("tests/lint/"):
                yield f"{name}:{number}: a path of one machine: {MACHINE.search(line)[0]}"
        if text and not text.endswith("\n"):
            yield f"{name}: no newline at the end"


PLANTED = {
    "docs/long.md": "x\n" * (LIMIT + 1),
    "sql/a.sql": "-- TO" "DO: later\n",
    "docs/b.md": "see /home/somebody/notes\n",
    "docs/c.md": "no newline",
}
