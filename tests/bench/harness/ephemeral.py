"""(j) Ephemeral events beside stored ones, each a transaction of its own, to ten sockets in a room each. First as many as eight connections can
publish, one after the other: how many a second, and how many of them were dropped, which must be as many as are counted. Then at rising
rates that wait for nobody: noted are p50 and p99 from the commit, and from when an event was due, which a publisher that is late cannot
hide; the highest rate is the one at which everything arrived, nothing was dropped, and p99 from due was under 60 ms."""

from statistics import median

from harness.latency import SOCKETS, publish_and_wait
from harness.pgbench import pgbench
from harness.programs import BenchError, note, wait_until
from harness.report import Check

DATABASE = 'bench_pulse'
RATES = {1000: 8, 5000: 16, 10000: 32, 15000: 32, 20000: 32, 30000: 32, 40000: 32, 50000: 32}    # events a second: publishing connections
KINDS = {'ephemeral': ', ephemeral => true', 'stored': ''}
SQL = "SELECT pulse.publish('latency:' || $1::text, 'bench', $2::json{})"
FLOODING = 8
BOUND_MS = 60


def counters(stage):
    """Sent to bridges, and dropped."""
    return [int(n) for n in stage.cluster.psql("SELECT c ->> 'ephemeralEvents', c ->> 'ephemeralDropped' FROM (SELECT pulse.status() -> 'counters') AS s (c)",
                                               DATABASE).split('|')]


def flood(stage, client, kind, seconds):
    client.command('reset')
    before, missed = counters(stage), stage.bridge.metric('pulse_bridge_ephemeral_missed_total')
    events = pgbench(stage.cluster, DATABASE, 'flood', FLOODING, '-D', f'ephemeral={kind == "ephemeral"}', '-T', seconds)
    if kind == 'ephemeral':
        wait_until('every event to be sent or dropped', lambda: sum(counters(stage)) - sum(before) >= events.transactions)
    stage.wait_for_dispatcher()
    dropped = counters(stage)[1] - before[1] + int(stage.bridge.metric('pulse_bridge_ephemeral_missed_total') - missed)
    delivered = client.command(f'wait {events.transactions - dropped} 30')['deliveries']
    return {'rate': events.tps, 'published': events.transactions, 'dropped': dropped, 'uncounted': events.transactions - dropped - delivered}


def rising(stage, client, kind, seconds, first):
    steps = []
    for rate, connections in RATES.items():
        for _ in range(2):                                     # a rate is given up when it was not held twice
            before = counters(stage)[1]
            try:
                found = publish_and_wait(stage, client, SQL.format(KINDS[kind]), rate, connections, seconds, first, lambda: counters(stage)[1] - before)
                found['dropped'] = counters(stage)[1] - before
                found['held'] = found['dueP99'] < BOUND_MS and not found['dropped']
            except BenchError as error:
                note(f'{kind}, {rate}/s: {error}')
                found = {'held': False}
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
    note(f'ephemeral events: {repetitions} × {len(KINDS)} times as many as can be in {seconds} s, and rising rates')
    first, runs, floods = 1, {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
    for _ in range(repetitions):
        for kind in KINDS:
            floods[kind].append(flood(stage, client, kind, seconds))
            steps, first = rising(stage, client, kind, seconds, first)
            runs[kind].append(steps)
    stage.drop(client)
    for kind in KINDS:
        note(f'{kind}: {highest(runs[kind]):.0f} events/s held, {mid(floods[kind], "rate"):.0f} published at most')
    return {'seconds': seconds, 'repetitions': repetitions, 'runs': runs, 'floods': floods}


def highest(found):
    return median(max((step['rate'] for step in steps if step['held']), default=0) for steps in found)


def mid(runs, key):
    return median(run[key] for run in runs)


def summary(result):
    lines = [f'Ephemeral events, each its own transaction, one socket each, medians of {result["repetitions"]} × {result["seconds"]} s; {FLOODING} connections, as many as '
             'they can', '', '| kind | events/s | published | dropped | neither delivered nor counted |', '|---|---|---|---|---|']
    for kind, found in result['floods'].items():
        lines.append(f'| {kind} | {mid(found, "rate"):.0f} | ' + ' | '.join(str(sum(run[key] for run in found)) for key in ('published', 'dropped', 'uncounted')) + ' |')
    lines += ['', f'At rates that wait for nobody; held: everything arrived, nothing dropped, p99 from due < {BOUND_MS} ms', '',
              '| kind | events/s | commit → socket p50, ms | p99, ms | due → socket p50, ms | p99, ms | held |', '|---|---|---|---|---|---|---|']
    for kind, found in result['runs'].items():
        for rate in RATES:
            steps = [step for steps in found for step in steps if step['rate'] == rate]
            arrived = [step for step in steps if 'p50' in step]
            if steps:
                times = [f'{mid(arrived, key):.2f}' if arrived else '–' for key in ('p50', 'p99', 'dueP50', 'dueP99')]
                lines.append(f'| {kind} | {rate} | {" | ".join(times)} | {sum(s["held"] for s in steps)} of {len(steps)} |')
    return lines


def checks(result):
    ephemeral, stored = (highest(result['runs'][kind]) for kind in KINDS)
    return [Check('ephemeral events, highest rate held ÷ that of stored ones', ephemeral / max(stored, 1), at_least=1),
            Check('ephemeral events neither delivered nor counted as dropped', sum(run['uncounted'] for run in result['floods']['ephemeral']), at_most=0)]
