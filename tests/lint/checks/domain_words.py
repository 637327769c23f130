"""No word of a pack's domain in the engine or the bridge: they know rooms, events and functions, nothing else."""
import re

NAME = "the engine and the bridge know no domain"
WORDS = re.compile(r"\b(emergency|emergencies|donors?|sos|campus|heatmaps?|families|caregivers?|medications?|porters?)\b", re.I)


def check(tree):
    for name in tree.files("bridge/src/", "extension/src/"):
        for number, line in enumerate(tree.text(name).split("\n"), 1):
            found = WORDS.search(line)
            if found:
                yield f"{name}:{number}: {found[0]}"


PLANTED = {"bridge/src/hub/a.cpp": "// joins a Donor\n", "extension/src/queue/b.cpp": 'auto room = "emergency:7";\n'}
