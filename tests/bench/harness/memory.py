"""(d) What an idle connection costs: (RSS with 10,000 − RSS with 0) / 10,000 of a fresh server process, the bridge and
Socket.IO. Each socket is connected, authenticated and in two rooms (its user's and one common)."""

import time
from statistics import median

from harness.programs import note, rss_kb
from harness.report import Check


def once(stage, kind, sockets):
    server = stage.new_bridge() if kind == 'pulse' else stage.peer('socketio')
    time.sleep(1)
    before = rss_kb(server.pid)
    client = stage.client(server, '--claims', '"rooms":["bench"]')
    seconds = client.connect(sockets)
    time.sleep(2)
    if kind == 'socketio':
        server.collect_garbage()
        time.sleep(2)
    after = rss_kb(server.pid)
    stage.drop(client)
    stage.drop(server)
    return {'before': before, 'after': after, 'bytes': (after - before) * 1024 / sockets, 'connectSeconds': seconds}


def measure(stage):
    sockets, repetitions = (10_000, 1) if stage.quick else (10_000, 3)
    note(f'memory: {repetitions} × {sockets} idle connections')
    runs = {'pulse': [], 'socketio': []}
    for _ in range(repetitions):
        for kind, found in runs.items():
            found.append(once(stage, kind, sockets))
    for kind, found in runs.items():
        note(f'{kind}: {middle(found, "bytes"):.0f} bytes a connection')
    return {'sockets': sockets, 'repetitions': repetitions, 'runs': runs}


def middle(runs, key):
    return median(run[key] for run in runs)


def summary(result):
    lines = [f'Memory of {result["sockets"]} idle connections, medians of {result["repetitions"]} fresh processes', '',
             '| server | RSS with none, MB | RSS with all, MB | bytes a connection | connected in, s |', '|---|---|---|---|---|']
    for kind, title in (('pulse', 'pulse-bridge'), ('socketio', 'Socket.IO')):
        runs = result['runs'][kind]
        lines.append(f'| {title} | {middle(runs, "before") / 1024:.1f} | {middle(runs, "after") / 1024:.1f} | '
                     f'{middle(runs, "bytes"):.0f} | {middle(runs, "connectSeconds"):.1f} |')
    return lines


def checks(result):
    return [Check('idle memory a connection, KB', middle(result['runs']['pulse'], 'bytes') / 1024, below=4, goal=3)]
