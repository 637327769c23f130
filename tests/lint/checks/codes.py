"""The page of codes has a row for each row of the bridge's table, in its order and with the same values."""
import re

NAME = "every error and close code is documented as it is"
TABLE, PAGE = "bridge/src/base/error.hpp", "docs/reference/codes.md"
DEFINED = re.compile(r'\{Errc::\w+, "(\w+)", "(\w+)", (\d+), (\d+), (true|false)\}')
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (\d+) \| (\d+) \| (yes|no) \|", re.M)


def check(tree):
    if not tree.has(TABLE):
        return
    defined = [(reason, code, status, close, "yes" if back == "true" else "no")
               for code, reason, status, close, back in DEFINED.findall(tree.text(TABLE))]
    rows = ROW.findall(tree.text(PAGE)) if tree.has(PAGE) else []
    if not defined:
        yield f"{TABLE}: no row was recognised"
    yield from (f"{PAGE}: no row says {' · '.join(row)}" for row in defined if row not in rows)
    yield from (f"{PAGE}: {' · '.join(row)} is not what {TABLE} says" for row in rows if row not in defined)
    if sorted(rows) == sorted(defined) and rows != defined:
        yield f"{PAGE}: the rows are not in the order of {TABLE}"


PLANTED = {
    "bridge/src/base/error.hpp": '    {Errc::new_one, "new_one", "new_one", 400, 4400, false},\n',
}
