"""(b) Commit to socket: a paced open-loop publisher on several connections, ten sockets in a room each, one event to one
socket. The time of a publish is taken right after its commit returned, the time of arrival right after the client read the
frame; both on the machine's monotonic clock. An event may arrive before its commit returns to the publisher: such a latency is
negative and is kept."""

import subprocess
from statistics import median

from harness.programs import BUILD, BenchError, note
from harness.report import Check

RATES = {100: 2, 1000: 4, 5000: 8}        # events a second: publishing connections
SOCKETS = 10


def percentile(ordered, q):
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def publish_and_wait(stage, client, sql, rate, connections, seconds, first, lost=lambda: 0):
    """Publishes at this rate by the statement, of $1 the number of a room and $2 the payload, and waits until everything has arrived but for
    what is said to be lost by then."""
    published, arrived = BUILD / 'logs' / 'published', BUILD / 'logs' / 'arrived'
    client.command('reset')
    client.command('record')
    done = subprocess.run([str(BUILD / 'publisher'), '--conninfo', stage.cluster.conninfo('bench_pulse'), '--sql', sql,
                           '--out', str(published), '--rate', str(rate), '--seconds', str(seconds), '--connections', str(connections),
                           '--rooms', str(SOCKETS), '--first', str(first)], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(done.stderr.strip())
    expected = rate * seconds - lost()
    counts = client.command(f'wait {expected} 30')
    client.command(f'save {arrived}')
    arrival = dict(map(int, line.split()) for line in arrived.read_text().splitlines())
    from_commit, from_send, from_due, late = [], [], [], []
    for line in published.read_text().splitlines():
        seq, due, sent, committed = map(int, line.split())
        late.append((sent - due) / 1e6)
        if seq in arrival:
            from_commit.append((arrival[seq] - committed) / 1e6)
            from_send.append((arrival[seq] - sent) / 1e6)
            from_due.append((arrival[seq] - due) / 1e6)
    # Events of different connections may commit in another order than they were due in: only the number is checked.
    if counts['deliveries'] != expected or len(from_commit) != expected:
        raise BenchError(f'{len(from_commit)} events arrived in {counts["deliveries"]} deliveries, of {expected}')
    found = {'lateP99': percentile(sorted(late), .99), 'max': max(from_commit)}
    for name, values in (('', from_commit), ('send', from_send), ('due', from_due)):
        values.sort()
        found |= {f'{name}P50' if name else 'p50': percentile(values, .5), f'{name}P99' if name else 'p99': percentile(values, .99)}
    return found


def run_once(stage, client, rate, seconds, first):
    sql = "SELECT pulse.publish('latency:' || $1::text, 'bench', $2::json)"
    return publish_and_wait(stage, client, sql, rate, RATES[rate], seconds, first)


def measure(stage):
    seconds, repetitions = (4, 1) if stage.quick else (15, 5)
    client = stage.client(stage.bridge, '--claims', '"rooms":["latency:{i}"]')
    client.connect(SOCKETS)
    note(f'latency: {len(RATES)} rates × {repetitions} runs of {seconds} s')
    first, runs = 1, {rate: [] for rate in RATES}
    run_once(stage, client, 1000, 1, first)                    # warm up
    first += 1000
    for _ in range(repetitions):
        for rate in RATES:
            runs[rate].append(run_once(stage, client, rate, seconds, first))
            first += rate * seconds
    for rate, found in runs.items():
        note(f'{rate}/s: p50 {mid(found, "p50"):.2f} ms, p99 {mid(found, "p99"):.2f} ms, max {mid(found, "max"):.1f} ms')
    stage.drop(client)
    return {'seconds': seconds, 'repetitions': repetitions, 'runs': {str(rate): found for rate, found in runs.items()}}


def mid(runs, key):
    return median(run[key] for run in runs)


def summary(result):
    lines = [f'Latency in ms, medians over {result["repetitions"]} runs of {result["seconds"]} s', '',
             '| events/s | commit → socket p50 | p99 | max | publish sent → socket p50 | p99 | publisher late p99 |',
             '|---|---|---|---|---|---|---|']
    for rate, runs in result['runs'].items():
        lines.append(f'| {rate} | ' + ' | '.join(f'{mid(runs, key):.2f}' for key in
                                                 ('p50', 'p99', 'max', 'sendP50', 'sendP99', 'lateP99')) + ' |')
    return lines


def checks(result):
    return [Check('commit → socket p99 at 1000/s, ms', mid(result['runs']['1000'], 'p99'), below=10, goal=3)]
