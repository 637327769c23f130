"""Links between our own pages lead somewhere."""
import os
import re

NAME = "relative links in Markdown lead to files"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(#[^)]*)?\)")


def check(tree):
    for name in tree.files(suffixes=(".md",)):
        text = re.sub(r"```.*?```", "", tree.text(name), flags=re.S)
        for target, _ in LINK.findall(text):
            if "://" in target or target.startswith("mailto:"):
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(name), target))
            if not tree.has(path):
                yield f"{name}: {target} is not there"


PLANTED = {"docs/a.md": "see [there](nowhere.md)\n"}
