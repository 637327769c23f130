"""(h) Rooms of ten at rising rates: sockets sit ten to a room, messages go to the rooms in turn at a rate that waits for nobody, in
steps of 2,000 messages a second. Noted is the highest rate at which everything arrives with a p99 under 60 ms, counted from when a
message was due; beyond 40,000 nobody is asked. The bridge alone and the whole path by SQL (each message its own transaction, on eight connections) beside the send() loop, stock Socket.IO
and nchan."""

from statistics import median

from harness.programs import note
from harness.report import Check

KINDS = ('floor', 'alone', 'pulse', 'socketio', 'nchan')
TITLES = {'floor': 'send() loop', 'alone': 'the bridge alone', 'pulse': 'pulse-bridge by SQL', 'socketio': 'Socket.IO', 'nchan': 'nchan'}
STEP, MOST, BOUND_MS = 2_000, 40_000, 60
SOCKETS = 1_000


def rising(stage, kind, sockets, seconds):
    """The steps that were held, and the first that was not, also when tried again."""
    server = stage.server(kind)
    where = ['--protocol', 'websocket', '--path', '/sub?id=r:{i/10}'] if kind == 'nchan' else ['--join', 'r:{i/10}', '--claims', '"rooms":[]']
    client = stage.client(server, '--room', 'r:', *where, *stage.publishing(kind, server))
    client.connect(sockets)
    client.command(f'rate {STEP // 2} 1 {sockets // 10}')      # warm up
    steps = []
    for rate in range(STEP, MOST + 1, STEP):
        for _ in range(2):
            found = client.command(f'rate {rate} {seconds} {sockets // 10}')
            found['held'] = found['deliveries'] == found['wanted'] and found['p99Ms'] < BOUND_MS
            if found['held']:
                break
        steps.append({'rate': rate, **found})
        if not found['held']:
            break
        if kind == 'pulse':
            stage.wait_for_dispatcher()
    stage.drop(client)
    stage.drop(server)
    return steps


def measure(stage):
    seconds, repetitions = (2, 1) if stage.quick else (3, 3)
    note(f'rooms of ten: {repetitions} × {len(KINDS)} rising rates, {SOCKETS} sockets')
    runs = {kind: [] for kind in KINDS}
    for _ in range(repetitions):
        for kind, found in runs.items():
            found.append(rising(stage, kind, SOCKETS, seconds))
    for kind, found in runs.items():
        note(f'{TITLES[kind]}: {highest(found):.0f} messages/s')
    return {'sockets': SOCKETS, 'seconds': seconds, 'repetitions': repetitions, 'runs': runs}


def highest(found):
    return median(max((step['rate'] for step in steps if step['held']), default=0) for steps in found)


def last_held(found):
    """Of the run in the middle."""
    held = sorted((([step for step in steps if step['held']] or [steps[0]])[-1] for steps in found), key=lambda step: step['rate'])
    return held[len(held) // 2]


def summary(result):
    lines = [f'Rooms of ten, {result["sockets"]} sockets, steps of {STEP} messages/s for {result["seconds"]} s, medians of '
             f'{result["repetitions"]}; held: everything arrived, p99 < {BOUND_MS} ms', '',
             '| server | highest messages/s held | deliveries/s there | p50 · p99 ms | server CPU µs a delivery | CPU of server · load client, cores |',
             '|---|---|---|---|---|---|']
    for kind, found in result['runs'].items():
        at = last_held(found)
        most = f'{highest(found):.0f}' + (' or more' if highest(found) == MOST else '')
        lines.append(f'| {TITLES[kind]} | {most} | {at["deliveries"] / at["seconds"]:.0f} | {at["p50Ms"]:.1f} · {at["p99Ms"]:.1f} | '
                     f'{at["serverCpu"] / max(1, at["deliveries"]) * 1e6:.2f} | {at["serverCpu"] / at["seconds"]:.2f} · '
                     f'{at["clientCpu"] / at["seconds"]:.2f} |')
    return lines


def checks(result):
    floor, alone = (highest(result['runs'][kind]) for kind in ('floor', 'alone'))
    return [Check('rooms of ten, the bridge alone ÷ send() loop, highest rate', alone / max(floor, 1), at_least=1, goal=1.2)]
