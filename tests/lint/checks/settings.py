"""docs/reference/settings.md lists exactly the settings that the extension defines, with the same names."""
import re

NAME = "every pulse.* setting is documented, and no other"
PAGE = "docs/reference/settings.md"


def check(tree):
    sources = [name for name in tree.all_files if name.startswith("extension/src/") and name.endswith(".cpp")]
    defined = {found for name in sources for found in re.findall(r'DefineCustom\w+Variable\(\s*"(pulse\.\w+)"', tree.text(name))}
    if not tree.has(PAGE):
        yield f"{PAGE} is missing; settings: {', '.join(sorted(defined))}"
        return
    documented = set(re.findall(r"^\|\s*`(pulse\.\w+)`", tree.text(PAGE), re.M))
    yield from (f"{PAGE}: `{name}` has no row" for name in sorted(defined - documented))
    yield from (f"{PAGE}: `{name}` does not exist" for name in sorted(documented - defined))


PLANTED = {
    "extension/src/guc.cpp": 'DefineCustomIntVariable("pulse.new_one", …);\n',
    "docs/reference/settings.md": "| `pulse.old_one` | 5 |\n",
}
