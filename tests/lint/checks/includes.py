"""Dependencies point one way: which folder may include which, who may include a library's header, who may write a guard."""
import re

NAME = "includes follow the dependency rule"

# Bridge: a folder includes folders of a lower rank only (main.cpp has the highest).
BRIDGE_RANK = {"base": 0, "config": 1, "auth": 1, "codec": 1, "loop": 1, "hub": 1, "net": 2, "db": 2, "http": 3, "handlers": 3, "transport": 4, "app": 5}
BRIDGE_LIBRARIES = {"libpq-fe.h": {"db"}, "uv.h": {"loop"}, "CLI/": {"config"}, "openssl/ssl.h": {"net"},
                    "http_parser.h": {"http"}, "curl/": {"app"}}

# Extension: pg/ is the only door to the backend, json/ and names/ are pure text, ephemeral/ is memory that publishers and the dispatcher share, rows/ what triggers make of rows; modules meet in tables and do not include each other, but
# handle/, the one door for clients' calls, asks rooms/ and auth/. guc.hpp is for all of them, entry.cpp sees everything.
EXTENSION_RANK = {"": 0, "pg": 0, "json": 0, "names": 1, "auth": 1, "ephemeral": 1, "rows": 1.5, "dispatch": 2, "limits": 2, "log": 2, "presence": 2, "publish": 2, "queue": 2, "rooms": 2,
                  "handle": 3}
BACKEND = re.compile(r"^(postgres|fmgr|miscadmin|pgstat|funcapi|(access|catalog|commands|executor|lib|libpq|nodes|optimizer|parser|port|postmaster|"
                     r"replication|storage|tcop|utils)/.*)\.h$|^(access|catalog|commands|executor|nodes|parser|postmaster|storage|tcop|utils)/")
GUARD_WORDS = re.compile(r"\b(PG_TRY|PG_CATCH|PG_FUNCTION_INFO_V1)\b|catch \(\.\.\.\)")


def includes(text: str):
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found[1] == '"', found[2]


def folder_of(path: str) -> str:
    return path.split("/")[0] if "/" in path else ""


def check_bridge(tree):
    for name in tree.files("bridge/src/", suffixes=(".cpp", ".hpp")):
        own = folder_of(name.removeprefix("bridge/src/"))
        rank = BRIDGE_RANK.get(own, 9) if own else 9
        if own and own not in BRIDGE_RANK:
            yield f"{name}: unknown folder {own}: give it a rank in tests/lint/checks/includes.py"
        for number, ours, path in includes(tree.text(name)):
            if ours and folder_of(path) != own and BRIDGE_RANK.get(folder_of(path), 9) >= rank:
                yield f"{name}:{number}: {own or 'main'} must not include {path}"
            for header, users in BRIDGE_LIBRARIES.items():
                if path.startswith(header) and own not in users:
                    yield f"{name}:{number}: only {' and '.join(sorted(users))} may include {path}"


def check_extension(tree):
    for name in tree.files("extension/src/", suffixes=(".cpp", ".hpp")):
        own = folder_of(name.removeprefix("extension/src/"))
        text = tree.text(name)
        if own not in EXTENSION_RANK:
            yield f"{name}: unknown folder {own}: give it a rank in tests/lint/checks/includes.py"
            continue
        pure = bool(re.search(r'#include "pg/pure\.hpp"', text))
        for number, ours, path in includes(text):
            other = folder_of(path)
            if BACKEND.match(path) and name != "extension/src/pg/pg.hpp":
                yield f"{name}:{number}: backend headers are included by pg/pg.hpp only"
            if ours and own and path != "pg/pure.hpp" and other not in ("", own) and EXTENSION_RANK.get(other, 9) >= EXTENSION_RANK[own]:
                yield f"{name}:{number}: module {own} must not include {path}"
            if pure and ours and other == "pg" and path != "pg/pure.hpp":
                yield f"{name}:{number}: a pure file must not include {path}"
        if not name.startswith("extension/src/pg/guard."):
            for number, line in enumerate(text.split("\n"), 1):
                if GUARD_WORDS.search(re.sub(r"//.*", "", line)):
                    yield f"{name}:{number}: guards are written in pg/guard.hpp only"


def check(tree):
    yield from check_bridge(tree)
    yield from check_extension(tree)


PLANTED = {
    "bridge/src/hub/a.cpp": '#include "db/queries.hpp"\n',
    "bridge/src/handlers/b.cpp": "#include <libpq-fe.h>\n",
    "extension/src/queue/c.cpp": '#include "rooms/pattern.hpp"\n',
    "extension/src/rooms/d.cpp": '#include "pg/spi.hpp"\n#include "pg/pure.hpp"\n',
    "extension/src/rooms/e.cpp": "#include <utils/guc.h>\n",
    "extension/src/rooms/f.cpp": "try {} catch (...) {}\n",
}
