"""shellcheck has nothing to say about the shell scripts."""
import subprocess

NAME = "shellcheck is content"


def check(tree):
    scripts = [name for name in tree.files() if name.endswith(".sh") or tree.text(name)[:20].startswith(("#!/bin/bash", "#!/bin/sh"))]
    if scripts:
        result = subprocess.run(["shellcheck", "-x", "-P", "tools", "-f", "gcc", *scripts], cwd=tree.root, text=True, capture_output=True)
        yield from result.stdout.split("\n")[:-1]


PLANTED = {"tools/a.sh": "#!/bin/bash\nrm $1\n"}
