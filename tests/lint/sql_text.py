"""Cuts SQL into statements: comments out, quoted text blanked, BEGIN ATOMIC bodies kept whole. Enough for our own files."""
import re

TOKEN = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$|;|\b\w+\b|.""", re.S)


def statements(text: str):
    """(line, statement) with white space made single and quoted text replaced by '' or $$."""
    words, start, depth, line = [], None, 0, 1
    for found in TOKEN.finditer(text):
        token = found[0]
        here, line = line, line + token.count("\n")
        if token.startswith(("--", "/*")):
            token = " "
        elif token.startswith("'"):
            token = "''"
        elif token.startswith("$"):
            token = "$$"
        upper = token.upper()
        if upper == "ATOMIC" or (depth and upper == "CASE"):
            depth += 1
        elif depth and upper == "END":
            depth -= 1
        if token == ";" and not depth:
            if start is not None:
                yield start, " ".join("".join(words).split())
            words, start = [], None
            continue
        if start is None and token.strip():
            start = here
        words.append(token)
    if start is not None:
        yield start, " ".join("".join(words).split())
