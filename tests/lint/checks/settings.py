"""The settings pages list exactly the settings that the extension and the bridge define, with the same names."""
import re

NAME = "every setting of the extension and the bridge is documented, and no other"
PAGES = [
    # sources, how a setting is defined there, how its name looks on the page, the page, how a row of the page begins
    ("extension/src/", r'DefineCustom\w+Variable\(\s*"(pulse\.\w+)"', str, "docs/reference/settings.md", r"^\|\s*`(pulse\.\w+)`"),
    ("bridge/src/config/", r'^\s*\{"([a-z-]+)", F::', lambda name: "PULSE_" + name.upper().replace("-", "_"),
     "docs/reference/bridge-settings.md", r"^\|[^|]*\|\s*`(PULSE_\w+)`"),
]


def check(tree):
    for folder, definition, spell, page, row in PAGES:
        sources = [name for name in tree.all_files if name.startswith(folder) and name.endswith(".cpp")]
        defined = {spell(found) for name in sources for found in re.findall(definition, tree.text(name), re.M)}
        if not defined and not tree.has(page):
            continue
        documented = set(re.findall(row, tree.text(page), re.M)) if tree.has(page) else set()
        yield from (f"{page}: `{name}` has no row" for name in sorted(defined - documented))
        yield from (f"{page}: `{name}` does not exist" for name in sorted(documented - defined))


PLANTED = {
    "extension/src/guc.cpp": 'DefineCustomIntVariable("pulse.new_one", …);\n',
    "bridge/src/config/schema.cpp": '    {"new-one", F::value, …},\n',
    "docs/reference/settings.md": "| `pulse.old_one` | 5 |\n",
    "docs/reference/bridge-settings.md": "| – | `PULSE_OLD_ONE` | 5 |\n",
}
