"""(m) Queues of the peers, BullMQ (Redis), graphile-worker and pg-boss from npm, each with its best settings: jobs that do nothing, end to end
from a queue that is full; enqueueing alone, one by one and in bulk; from enqueue to start in an idle queue; and what one worker that takes
one job at a time needs for each when many wait behind, also while a transaction elsewhere keeps its snapshot."""

from statistics import median

from harness.programs import QueuePeer, Redis, children, cpu_seconds, note
from harness.report import Check

DATABASE = 'bench_queue'
TITLES = {'bullmq': 'BullMQ', 'graphile': 'graphile-worker', 'pgboss': 'pg-boss'}
# Settings that are tried; the best one end to end is kept.
TRIED = {'bullmq': ((50,), (200,), (1000,)), 'graphile': ((24, 500), (50, 1000), (100, 2000)), 'pgboss': ((2, 500), (4, 1000), (8, 1000))}
# What others measured end to end on other machines, to see that a peer is not held back here: jobs/s.
KNOWN = {'bullmq': 7000, 'graphile': 17_000, 'pgboss': 4000}


def start(stage, kind, redis, settings):
    first = (redis.port,) if kind == 'bullmq' else ()
    return stage.keep(QueuePeer(kind, stage.cluster, DATABASE, *first, *settings))


def run(stage, kind, peer, redis, line):
    """One command of tests/bench/peers/queue_peer.mjs with the CPU of all that works for it: the peer's process, and Redis or PostgreSQL."""
    behind = [redis.pid] if kind == 'bullmq' else [stage.cluster.postmaster, *children(stage.cluster.postmaster)]
    before = cpu_seconds([peer.pid, *behind])
    found = peer.command(line)
    return {**found, 'cpu': cpu_seconds([peer.pid, *behind]) - before}


def rate(found):
    return found['jobs'] / found['seconds']


def best_settings(stage, kind, redis, jobs):
    found = {}
    for settings in TRIED[kind][:1] if stage.quick else TRIED[kind]:
        peer = start(stage, kind, redis, settings)
        found[settings] = rate(run(stage, kind, peer, redis, f'drain {jobs}'))
        stage.drop(peer)
    note(f'{TITLES[kind]}, end to end: ' + ', '.join(f'{"/".join(map(str, settings))} {value:.0f}/s' for settings, value in found.items()))
    return max(found, key=found.get)


def measure(stage):
    quick = stage.quick
    jobs, singles, pickups, turns, waiting, repetitions = (2_000, 500, 10, 100, 5_000, 1) if quick else (100_000, 20_000, 200, 3_000, 1_000_000, 3)
    stage.cluster.psql(f'CREATE DATABASE {DATABASE}', 'postgres')
    redis = stage.keep(Redis())
    commands = {'drain': f'drain {jobs}', 'single': f'single {singles}', 'bulk': f'bulk {jobs}', 'pickup': f'pickup {pickups}',
                'few': f'turns {turns} 0', 'many': f'turns {turns} {waiting}', 'held': f'turns {turns} {waiting} held'}
    runs, settings = {}, {}
    for kind in TITLES:
        settings[kind] = best_settings(stage, kind, redis, jobs)
        peer = start(stage, kind, redis, settings[kind])
        run(stage, kind, peer, redis, f'drain {min(jobs, 10_000)}')                     # warm
        for name, line in commands.items():
            if name == 'held' and kind == 'bullmq':
                continue                                                                # Redis has no snapshots
            times = repetitions if name in ('drain', 'single', 'bulk') else 1
            runs[f'{kind}/{name}'] = [run(stage, kind, peer, redis, line) for _ in range(times)]
        stage.drop(peer)
        note(f'{TITLES[kind]}: {mid(runs, kind, "drain", rate):.0f} jobs/s end to end, {mid(runs, kind, "bulk", rate):.0f}/s enqueued in bulk')
    stage.drop(redis)
    return {'jobs': jobs, 'waiting': waiting, 'repetitions': repetitions, 'settings': settings, 'runs': runs}


def mid(runs, kind, name, value):
    return median(value(found) for found in runs[f'{kind}/{name}'])


def times(runs, kind, name):
    if f'{kind}/{name}' not in runs:
        return '–'
    found = runs[f'{kind}/{name}'][0]
    return f'{found["p50"]:.2f} · {found["p99"]:.2f}'


def summary(result):
    runs = result['runs']
    lines = [f'Queues: {result["jobs"]} jobs that do nothing, medians of {result["repetitions"]}; one at a time with {result["waiting"]} waiting; settings that did best: '
             + ', '.join(f'{TITLES[kind]} {"/".join(map(str, found))}' for kind, found in result['settings'].items()), '',
             '| queue | end to end, jobs/s | CPU µs a job | enqueue one by one, jobs/s | in bulk, jobs/s | enqueue → start, ms p50 · p99 | '
             'a turn of one worker, ms p50 · p99: none waiting | many waiting | and a snapshot held |', '|---|---|---|---|---|---|---|---|---|']
    for kind, title in TITLES.items():
        cpu = mid(runs, kind, 'drain', lambda found: found['cpu'] / found['jobs'] * 1e6)
        lines.append(f'| {title} | {mid(runs, kind, "drain", rate):.0f} | {cpu:.0f} | {mid(runs, kind, "single", rate):.0f} | {mid(runs, kind, "bulk", rate):.0f} | '
                     + ' | '.join(times(runs, kind, name) for name in ('pickup', 'few', 'many', 'held')) + ' |')
    return lines


def checks(result):
    return [Check(f'{TITLES[kind]} end to end, jobs/s, half of what others measured', mid(result['runs'], kind, 'drain', rate), at_least=KNOWN[kind] / 2, about='harness')
            for kind in TITLES]
