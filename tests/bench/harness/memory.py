"""(d) What an idle connection costs: (RSS with 10,000 − RSS with 0) / 10,000 of a fresh server process. pulse-bridge by each of its
protocols, stock Socket.IO, and nchan. A socket of pulse is connected, authenticated and in two rooms (its user's and one common); an
event stream or poll is in one room."""

import time
from statistics import median

from harness.programs import note, rss_kb
from harness.report import Check

ROOM = ['--claims', '"rooms":["bench"]']
KINDS = {
    'pulse/socketio': ('pulse-bridge, Socket.IO by WebSocket', [*ROOM], 4),
    'pulse/native': ('pulse-bridge, native WebSocket', ['--protocol', 'native', *ROOM], 4),
    'pulse/sse': ('pulse-bridge, event stream', ['--protocol', 'sse', '--path', '/sse?room=bench'], 8),
    'pulse/poll': ('pulse-bridge, parked long-poll', ['--protocol', 'poll', '--path', '/poll?room=bench'], 8),
    'pulse/polling': ('pulse-bridge, Socket.IO by polling', ['--protocol', 'polling', *ROOM], 8),
    'socketio/socketio': ('stock Socket.IO by WebSocket', [], None),
    'nchan/websocket': ('nchan, WebSocket', ['--protocol', 'websocket', '--path', '/sub?id=bench'], None),
    'nchan/sse': ('nchan, event stream', ['--protocol', 'sse', '--path', '/sub?id=bench'], None),
    'nchan/poll': ('nchan, parked long-poll', ['--protocol', 'parked', '--path', '/sub?id=bench'], None),
}


def once(stage, kind, sockets):
    name, options = kind.split('/')[0], KINDS[kind][1]
    server = stage.server(name)
    time.sleep(1)
    before = rss_kb(server.pid)
    client = stage.client(server, *options)
    seconds = client.connect(sockets)
    time.sleep(2)
    if name == 'socketio':
        server.collect_garbage()
        time.sleep(2)
    after = rss_kb(server.pid)
    stage.drop(client)
    stage.drop(server)
    return {'before': before, 'after': after, 'bytes': (after - before) * 1024 / sockets, 'connectSeconds': seconds}


def measure(stage):
    sockets, repetitions = (10_000, 1) if stage.quick else (10_000, 3)
    note(f'memory: {repetitions} × {len(KINDS)} × {sockets} idle connections')
    runs = {kind: [] for kind in KINDS}
    for _ in range(repetitions):
        for kind, found in runs.items():
            found.append(once(stage, kind, sockets))
    for kind, found in runs.items():
        note(f'{KINDS[kind][0]}: {middle(found, "bytes"):.0f} bytes a connection')
    return {'sockets': sockets, 'repetitions': repetitions, 'runs': runs}


def middle(runs, key):
    return median(run[key] for run in runs)


def summary(result):
    lines = [f'Memory of {result["sockets"]} idle connections, medians of {result["repetitions"]} fresh processes', '',
             '| server | RSS with none, MB | RSS with all, MB | bytes a connection | connected in, s |', '|---|---|---|---|---|']
    for kind, runs in result['runs'].items():
        lines.append(f'| {KINDS[kind][0]} | {middle(runs, "before") / 1024:.1f} | {middle(runs, "after") / 1024:.1f} | '
                     f'{middle(runs, "bytes"):.0f} | {middle(runs, "connectSeconds"):.1f} |')
    return lines


def checks(result):
    return [Check(f'idle memory a connection, KB, {title}', middle(result['runs'][kind], 'bytes') / 1024, below=bound,
                  goal=3 if kind == 'pulse/socketio' else None) for kind, (title, _, bound) in KINDS.items() if bound]
