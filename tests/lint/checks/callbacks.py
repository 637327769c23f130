"""What PostgreSQL calls back at the end of a transaction or of a process runs inside pg::callback<>: an ERROR there is a PANIC."""
import re

NAME = "hooks at the end of a transaction or a process never raise"
REGISTERED = re.compile(r"(?:RegisterXactCallback|RegisterSubXactCallback|on_shmem_exit|before_shmem_exit|on_proc_exit)\((?:\w+::)*(\w+)")


def body(text, function):
    found = re.search(rf"^(?:static )?void {function}\([^;{{]*\) {{\n(.*?)^}}", text, re.M | re.S)
    return found[1] if found else ""


def check(tree):
    for name in tree.files("extension/src/"):
        text = tree.text(name)
        for function in REGISTERED.findall(text):
            if not re.search(r"\bcallback\(", body(text, function)):
                yield f"{name}: {function} does its work outside pg::callback"


PLANTED = {
    "extension/src/a/a.cpp": "static void on_xact(XactEvent event, void *) {\n    work();\n}\nvoid init() { RegisterXactCallback(on_xact, nullptr); }\n",
    "extension/src/b/b.cpp": "void leave(int, Datum) {\n    work();\n}\nvoid run() { on_shmem_exit(x::leave, Datum(0)); }\n",
}
