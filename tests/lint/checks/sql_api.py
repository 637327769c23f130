"""api/ files run again at each update, so they hold re-runnable statements only; and no function trusts the caller's search_path."""
import re

from sql_text import statements

NAME = "api/*.sql can be run again, and every function pins its search_path"
ALLOWED = re.compile(r"(CREATE OR REPLACE|GRANT|REVOKE|COMMENT ON)\b|SELECT pulse\.(\"?on\"?|policy|namespace|stream|route|limit|limit_event|define_setting|configure_queue|job_kind)\(", re.I)
PATHLESS = re.compile(r"\.enqueue_row\(\) RETURNS trigger LANGUAGE c\b", re.I)  # looks nothing up by a path, and a SET costs each row
FUNCTION = re.compile(r"CREATE OR REPLACE (FUNCTION|PROCEDURE) ([\w.]+)", re.I)


def check(tree):
    for name in tree.files("sql/", suffixes=(".sql",)):
        if "/api/" not in name:
            continue
        for line, statement in statements(tree.text(name)):
            if not ALLOWED.match(statement):
                yield f"{name}:{line}: only CREATE OR REPLACE, GRANT, REVOKE, COMMENT and registrations here: {statement[:60]}"
            function = FUNCTION.match(statement)
            if function and re.search(r"SECURITY DEFINER|LANGUAGE '?plpgsql", statement, re.I) \
                    and not re.search(r"\bSET search_path\b", statement, re.I) and not PATHLESS.search(statement):
                yield f"{name}:{line}: {function[2]} has no SET search_path"


PLANTED = {
    "sql/core/api/a.sql": "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;\nCREATE TABLE t ();\n",
    "sql/core/api/c.sql": "SELECT pulse.policy('a', 'join', 'b.c');\nSELECT pulse.publish('a', 'b', '1');\n",
    "sql/core/api/d.sql": "CREATE OR REPLACE FUNCTION a.f() RETURNS trigger LANGUAGE c SECURITY DEFINER AS 'm', 'pulse_enqueue_row';\n",
    "sql/core/api/b.sql": "CREATE OR REPLACE FUNCTION pulse.f() RETURNS int LANGUAGE plpgsql AS $$BEGIN; END$$;\n",
}
