"""(k) Presence updates a second: a handler that tracks its session with a new state and a time to live, through pulse.handle as bridges
call it, told to others or not; beside Redis (HSET and EXPIRE in one script, one round trip, as a presence hash is kept there) in the
same run, with as many connections, and beside the table one would write by hand. pulse runs the handler, checks who was there before, and
for what is told stores an event.

Redis changes a hash in its one thread and runs nobody's code, while PostgreSQL takes a transaction, so its figure stands beside and is no
bound. What is comparable is the table written by hand: one upsert. pulse does three such statements' work (the handler with its caller and
rights, who was there before, the new state), so the bound is a third of it."""

import re
import subprocess
from statistics import median

from harness.pgbench import pgbench
from harness.programs import BENCH, BenchError, Redis, note
from harness.report import Check

CONNECTIONS = 8
USERS = 10_000
BY_PGBENCH = ('silent', 'told', 'table')
KINDS = {'silent': 'pulse.track, not told', 'told': 'pulse.track, presence:update stored', 'table': 'upsert by hand, unlogged table',
         'redis': 'Redis HSET + EXPIRE'}
SCRIPT = "redis.call('hset', KEYS[1], 'state', ARGV[1]) return redis.call('expire', KEYS[1], 1800)"


def by_pgbench(stage, kind, seconds):
    return pgbench(stage.cluster, 'bench_pulse', f'presence_{kind}', CONNECTIONS, '-D', 'event=bench:present', '-T', seconds).tps


def by_redis(redis, rate, seconds):
    done = subprocess.run(['redis-benchmark', '-p', str(redis.port), '-c', str(CONNECTIONS), '-r', '10000', '-n', str(int(rate * seconds)), '-q',
                           'EVAL', SCRIPT, '1', 'presence:__rand_int__', '{"n":__rand_int__}'], capture_output=True, text=True)
    found = re.findall(r'([\d.]+) requests per second', done.stdout)
    if done.returncode or not found:
        raise BenchError(f'redis-benchmark: {done.stdout[-300:]}{done.stderr[-300:]}')
    return float(found[-1])


def measure(stage):
    seconds, repetitions = (3, 1) if stage.quick else (10, 3)
    stage.cluster.psql((BENCH / 'sql' / 'presence.sql').read_text(), 'bench_pulse')
    redis = stage.keep(Redis())
    note(f'presence updates: {repetitions} × {len(KINDS)} runs of {seconds} s')
    for first in range(1, USERS, 1000):                      # everybody joins: what is measured are updates
        stage.cluster.psql(f"""SELECT count(h.ack) FROM generate_series({first}, {first + 999}) AS n, LATERAL pulse.handle('/', 'bench:present', '[true]',
                               format('{{"userId":"u%s","sessionId":"s%s"}}', n, n)::json) AS h""", 'bench_pulse')
    for kind in BY_PGBENCH:                                   # plans and catalogs are warm
        by_pgbench(stage, kind, 1)
    rate = by_redis(redis, 10_000, 1)
    runs = {kind: [] for kind in KINDS}
    for _ in range(repetitions):
        for kind in BY_PGBENCH:
            runs[kind].append(by_pgbench(stage, kind, seconds))
            stage.wait_for_dispatcher()
        runs['redis'].append(by_redis(redis, rate, seconds))
    return {'seconds': seconds, 'repetitions': repetitions, 'runs': runs}


def summary(result):
    lines = [f'Presence updates a second over {CONNECTIONS} connections, 10,000 users, runs of {result["seconds"]} s, medians of '
             f'{result["repetitions"]}', '', '| what | updates/s |', '|---|---|']
    of = {kind: median(found) for kind, found in result['runs'].items()}
    return lines + [f'| {title} | {of[kind]:.0f} |' for kind, title in KINDS.items()] + ['', f'Redis does {of["redis"] / of["silent"]:.0f} times as many.']


def checks(result):
    of = {kind: median(found) for kind, found in result['runs'].items()}
    return [Check('presence updates/s ÷ upsert by hand', of['silent'] / of['table'], at_least=0.33)]
