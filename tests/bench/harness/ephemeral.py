"""(j) Ephemeral events from commit to sockets: the same paced open-loop publisher as for latency, each event a transaction of its own,
ten sockets in a room each, at rising rates; beside them the same events stored. Noted are p50 and p99 at each rate, and the highest
rate at which everything arrived with a p99 under 60 ms and nothing was dropped."""

from statistics import median

from harness.latency import SOCKETS, publish_and_wait
from harness.programs import BenchError, note
from harness.report import Check

RATES = {1000: 4, 5000: 8, 10000: 8, 15000: 16, 20000: 16, 30000: 32, 40000: 32}    # events a second: publishing connections
KINDS = {'ephemeral': ', ephemeral => true', 'stored': ''}
SQL = "SELECT pulse.publish('latency:' || $1::text, 'bench', $2::json{})"
BOUND_MS = 60


def dropped(stage):
    return int(stage.cluster.psql("SELECT pulse.status() -> 'counters' ->> 'ephemeralDropped'", 'bench_pulse'))


def rising(stage, client, kind, seconds, first):
    steps = []
    for rate, connections in RATES.items():
        for _ in range(2):                                     # a rate is given up when it was not held twice
            before = dropped(stage)
            try:
                found = publish_and_wait(stage, client, SQL.format(KINDS[kind]), rate, connections, seconds, first)
                found['held'] = found['p99'] < BOUND_MS and found['lateP99'] < BOUND_MS and dropped(stage) == before
            except BenchError as error:
                note(f'{kind}, {rate}/s: {error}')
                found = {'p50': 0, 'p99': 0, 'lateP99': 0, 'held': False}
            first += rate * seconds
            stage.wait_for_dispatcher()
            if found['held']:
                break
        steps.append({'rate': rate, **found})
        if not found['held']:
            break
    return steps, first


def measure(stage):
    seconds, repetitions = (2, 1) if stage.quick else (5, 3)
    client = stage.client(stage.bridge, '--claims', '"rooms":["latency:{i}"]')
    client.connect(SOCKETS)
    note(f'ephemeral events: {repetitions} × {len(KINDS)} rising rates of {seconds} s')
    first, runs = 1, {kind: [] for kind in KINDS}
    for _ in range(repetitions):
        for kind, found in runs.items():
            steps, first = rising(stage, client, kind, seconds, first)
            found.append(steps)
    stage.drop(client)
    for kind, found in runs.items():
        note(f'{kind}: {highest(found):.0f} events/s')
    return {'seconds': seconds, 'repetitions': repetitions, 'runs': runs}


def highest(found):
    return median(max((step['rate'] for step in steps if step['held']), default=0) for steps in found)


def summary(result):
    lines = [f'Ephemeral events, each its own transaction, one socket each, steps of {result["seconds"]} s, medians of '
             f'{result["repetitions"]}; held: everything arrived, nothing dropped, p99 < {BOUND_MS} ms', '',
             '| kind | events/s | commit → socket p50, ms | p99, ms | publisher late p99, ms | held |', '|---|---|---|---|---|---|']
    for kind, found in result['runs'].items():
        for rate in RATES:
            steps = [step for steps in found for step in steps if step['rate'] == rate]
            if steps:
                lines.append(f'| {kind} | {rate} | {median(s["p50"] for s in steps):.2f} | {median(s["p99"] for s in steps):.2f} | '
                             f'{median(s["lateP99"] for s in steps):.2f} | '
                             f'{sum(s["held"] for s in steps)} of {len(steps)} |')
    return lines


def checks(result):
    ephemeral, stored = (highest(result['runs'][kind]) for kind in KINDS)
    return [Check('ephemeral events, highest rate held ÷ that of stored ones', ephemeral / max(stored, 1), at_least=1)]
