"""npm's lock files name no download host, so that any registry or mirror serves them."""
NAME = "npm lock files record no host"


def check(tree):
    for name in tree.files(suffixes=("package-lock.json",)):
        if '"resolved"' in tree.text(name):
            yield f"{name}: has \"resolved\" entries; npm install with omit-lockfile-registry-resolved=true"


PLANTED = {"tests/package-lock.json": '{"resolved": "https://example.org/x.tgz"}\n'}
