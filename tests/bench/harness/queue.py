"""(m) Queues: pulse beside BullMQ (Redis), graphile-worker and pg-boss from npm, each peer with its best settings, pulse as it comes. Jobs
that do nothing, end to end from a queue that is full; enqueueing alone, one by one and in bulk; from enqueue to start in an idle queue;
what one job at a time takes when many wait behind; and whether all that lasts while a transaction elsewhere keeps its snapshot, which
keeps every finished job's row. Beside them a batch of 100 by one DELETE with SKIP LOCKED, which is no queue, but as fast as one could be.

A peer's job counts when it has run, a job of pulse when its end is committed. Peers forget what is finished, but for pg-boss; pulse keeps
its history."""

from statistics import median

from harness.pgbench import pgbench
from harness.programs import QueuePeer, Redis, children, cpu_seconds, note
from harness.pulse_queue import TENTHS, PulseQueue
from harness.report import Check

DATABASE, PEERS_DATABASE = 'bench_pulse', 'bench_queue'
TITLES = {'pulse': 'pulse', 'bullmq': 'BullMQ', 'graphile': 'graphile-worker', 'pgboss': 'pg-boss'}
PEERS = tuple(TITLES)[1:]
# Settings that are tried; the best one end to end is kept.
TRIED = {'bullmq': ((1, 50), (1, 200), (1, 1000), (4, 100)), 'graphile': ((24, 500), (50, 1000), (100, 2000)), 'pgboss': ((2, 500), (4, 1000), (8, 1000))}
# What others measured end to end on other machines, to see that nobody is held back here: jobs/s.
KNOWN = {'bullmq': 7000, 'graphile': 17_000, 'pgboss': 4000}
KNOWN_BY_HAND = 97_000
IN_BULK = 80_000                          # jobs/s, in calls of a thousand
PICKUP_MS = {'p50': (2, 1), 'p99': (6, 2)}
HELD = ('pulse', 'graphile')


def start(stage, kind, redis, settings):
    if kind == 'pulse':
        return stage.keep(PulseQueue(stage.cluster, DATABASE))
    first = (redis.port,) if kind == 'bullmq' else ()
    return stage.keep(QueuePeer(kind, stage.cluster, PEERS_DATABASE, *first, *settings))


def run(stage, kind, queue, redis, line):
    """One command of tests/bench/peers/queue_peer.mjs with the CPU of all that works for it: the peer's process, and Redis or PostgreSQL."""
    def working():
        behind = [redis.pid] if kind == 'bullmq' else [stage.cluster.postmaster, *children(stage.cluster.postmaster)]
        return {pid: cpu_seconds([pid]) for pid in {queue.pid, *behind}}
    if kind != 'bullmq':
        stage.cluster.psql('CHECKPOINT', 'postgres')
    before = working()
    found = queue.command(line)
    return {**found, 'cpu': sum(seconds - before.get(pid, 0) for pid, seconds in working().items())}


def rate(found):
    return found['jobs'] / found['seconds']


def best_settings(stage, kind, redis, jobs):
    found = {}
    for settings in TRIED[kind][:2] if stage.quick else TRIED[kind]:
        peer = start(stage, kind, redis, settings)
        found[settings] = rate(run(stage, kind, peer, redis, f'drain {jobs}'))
        stage.drop(peer)
    note(f'{TITLES[kind]}, end to end: ' + ', '.join(f'{"/".join(map(str, settings))} {value:.0f}/s' for settings, value in found.items()))
    return max(found, key=found.get)


def by_hand(stage, jobs):
    stage.cluster.psql(f"""TRUNCATE bench.by_hand;
        INSERT INTO bench.by_hand (args) SELECT json_build_object('n', n) FROM generate_series(1, {jobs}) AS n;
        VACUUM ANALYZE bench.by_hand; CHECKPOINT""", DATABASE)
    found = pgbench(stage.cluster, DATABASE, 'by_hand', 2, '-t', jobs // 200)
    return {'jobs': jobs, 'seconds': found.transactions / found.tps}


def measure(stage):
    quick = stage.quick
    jobs, singles, pickups, turns, waiting, held, repetitions = \
        (40_000, 6_400, 60, 300, 40_000, 60_000, 1) if quick else (100_000, 19_200, 300, 3_000, 1_000_000, 300_000, 3)
    stage.cluster.psql(f'CREATE DATABASE {PEERS_DATABASE}', 'postgres')
    stage.cluster.psql(stage.sql('queue'), DATABASE)
    redis = stage.keep(Redis())
    commands = {'drain': f'drain {jobs}', 'single': f'single {singles}', 'bulk': f'bulk {jobs}', 'pickup': f'pickup {pickups}',
                'few': f'turns {turns} 0', 'many': f'turns {turns} {waiting}', 'held': f'drain {held} 0 held'}
    runs, settings = {}, {}
    for kind in TITLES:
        if kind in PEERS:
            settings[kind] = best_settings(stage, kind, redis, jobs)
        queue = start(stage, kind, redis, settings.get(kind))
        run(stage, kind, queue, redis, f'drain {min(jobs, 10_000)}')                    # warm
        for name, line in commands.items():
            if name == 'held' and kind not in HELD:
                continue
            if name == 'many' and kind != 'bullmq':                                     # Redis has no snapshots
                line += ' held'
            if name == 'pickup' and kind == 'pgboss':                                   # which looks twice a second
                line = f'pickup {pickups // 5}'
            times = repetitions if name in ('drain', 'single', 'bulk') else 1
            runs[f'{kind}/{name}'] = [run(stage, kind, queue, redis, line) for _ in range(times)]
        if kind == 'pulse':
            runs['pulse/query'] = [run(stage, kind, queue, redis, f'bulk {jobs} {jobs}') for _ in range(repetitions)]
        stage.drop(queue)
        note(f'{TITLES[kind]}: {mid(runs, kind, "drain", rate):.0f} jobs/s end to end, {mid(runs, kind, "bulk", rate):.0f}/s enqueued in bulk')
    stage.drop(redis)
    runs['hand/drain'] = [by_hand(stage, jobs) for _ in range(repetitions)]
    return {'jobs': jobs, 'waiting': waiting, 'heldJobs': held, 'repetitions': repetitions, 'settings': settings, 'runs': runs}


def mid(runs, kind, name, value):
    return median(value(found) for found in runs[f'{kind}/{name}'])


def of_tenth(found, n):
    """Jobs a second in one tenth of the jobs; a peer's first one has its workers' start in it."""
    return found['jobs'] / TENTHS / (found['tenths'][n + 1] - found['tenths'][n])


def kept_up(runs, kind):
    """The last tenth beside the second, for the sake of peers, whose first has the start of their workers in it."""
    found = runs[f'{kind}/held'][0]
    return of_tenth(found, TENTHS - 1) / of_tenth(found, 1)


def times(found):
    return f'{found["p50"]:.2f} · {found["p99"]:.2f}' if found else '–'


def summary(result):
    runs = result['runs']
    lines = [f'Queues: {result["jobs"]} jobs that do nothing, medians of {result["repetitions"]}; one at a time with {result["waiting"]} waiting; peers\' settings that did best: '
             + ', '.join(f'{TITLES[kind]} {"/".join(map(str, found))}' for kind, found in result['settings'].items()), '',
             '| queue | end to end, jobs/s | CPU µs a job | enqueue one by one, jobs/s | in bulk, jobs/s | enqueue → start, ms p50 · p99 | '
             'one at a time, ms p50 · p99: none waiting | many waiting | and a snapshot held |', '|---|---|---|---|---|---|---|---|---|']
    for kind, title in TITLES.items():
        cpu = mid(runs, kind, 'drain', lambda found: found['cpu'] / found['jobs'] * 1e6)
        many = runs[f'{kind}/many'][0]
        lines.append(f'| {title} | {mid(runs, kind, "drain", rate):.0f} | {cpu:.0f} | {mid(runs, kind, "single", rate):.0f} | {mid(runs, kind, "bulk", rate):.0f} | '
                     + ' | '.join(times(found) for found in (runs[f'{kind}/pickup'][0], runs[f'{kind}/few'][0], many, many.get('held'))) + ' |')
    lines += ['', f'By hand, batches of 100 by one DELETE … SKIP LOCKED: {mid(runs, "hand", "drain", rate):.0f} jobs/s. '
              f'pulse.enqueue_many of {result["jobs"]} jobs from one query: {mid(runs, "pulse", "query", rate):.0f} jobs/s.', '',
              f'{result["heldJobs"]} jobs enqueued and worked off while a snapshot is held: jobs/s in each tenth', '',
              '| queue | ' + ' | '.join(str(n + 1) for n in range(TENTHS)) + ' |', '|---' * (TENTHS + 1) + '|']
    for kind in HELD:
        lines.append(f'| {TITLES[kind]} | ' + ' | '.join(f'{of_tenth(runs[f"{kind}/held"][0], n):.0f}' for n in range(TENTHS)) + ' |')
    return lines


def checks(result):
    runs = result['runs']
    ours, pickup, few, many = mid(runs, 'pulse', 'drain', rate), runs['pulse/pickup'][0], runs['pulse/few'][0], runs['pulse/many'][0]
    return [Check('jobs/s end to end ÷ BullMQ', ours / mid(runs, 'bullmq', 'drain', rate), at_least=4),
            Check('jobs/s end to end ÷ graphile-worker', ours / mid(runs, 'graphile', 'drain', rate), at_least=1.5),
            Check('enqueued in bulk, jobs/s', mid(runs, 'pulse', 'bulk', rate), at_least=IN_BULK),
            *(Check(f'enqueue → start in an idle queue, {key}, ms', pickup[key], below=must, goal=goal) for key, (must, goal) in PICKUP_MS.items()),
            Check('one at a time, p50 with many waiting ÷ with none', many['p50'] / few['p50'], at_most=1.25),
            Check('one at a time, p50 with a snapshot held ÷ without', many['held']['p50'] / many['p50'], at_most=1.25),
            Check('jobs/s with a snapshot held, last tenth ÷ second', kept_up(runs, 'pulse'), at_least=0.8),
            *(Check(f'{TITLES[kind]} end to end, jobs/s, half of what others measured', mid(runs, kind, 'drain', rate), at_least=KNOWN[kind] / 2, about='harness')
              for kind in PEERS),
            Check('by hand, jobs/s, half of what others measured', mid(runs, 'hand', 'drain', rate), at_least=KNOWN_BY_HAND / 2, about='harness')]
