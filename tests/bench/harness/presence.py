"""(k) Presence updates a second: a handler that tracks its session with a new state and a time to live, through pulse.handle as bridges
call it, told to others or not; beside Redis (HSET and EXPIRE in one script, one round trip, as a presence hash is kept there) in the
same run, with as many connections. pulse runs the handler, checks who was there before, and for what is told stores an event."""

import re
import subprocess
from statistics import median

from harness.programs import BENCH, BenchError, Redis, note
from harness.report import Check

CONNECTIONS = 8
KINDS = {'silent': 'pulse.track, not told', 'told': 'pulse.track, presence:update stored', 'redis': 'Redis HSET + EXPIRE'}
SCRIPT = "redis.call('hset', KEYS[1], 'state', ARGV[1]) return redis.call('expire', KEYS[1], 1800)"


def by_pgbench(stage, kind, seconds):
    done = subprocess.run([str(stage.cluster.bin / 'pgbench'), '-n', '-M', 'prepared', '-f', str(BENCH / 'sql' / f'presence_{kind}.sql'),
                           '-c', str(CONNECTIONS), '-j', '2', '-T', str(seconds), stage.cluster.conninfo('bench_pulse')],
                          capture_output=True, text=True)
    tps = re.search(r'tps = ([\d.]+)', done.stdout)
    if done.returncode or not tps:
        raise BenchError(f'pgbench: {done.stderr[-500:]}')
    return float(tps[1])


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
    for kind in ('silent', 'told'):                          # everybody joins; plans and catalogs are warm
        by_pgbench(stage, kind, seconds)
    rate = by_redis(redis, 10_000, 1)
    runs = {kind: [] for kind in KINDS}
    for _ in range(repetitions):
        for kind in ('silent', 'told'):
            runs[kind].append(by_pgbench(stage, kind, seconds))
            stage.wait_for_dispatcher()
        runs['redis'].append(by_redis(redis, rate, seconds))
    return {'seconds': seconds, 'repetitions': repetitions, 'runs': runs}


def summary(result):
    lines = [f'Presence updates a second over {CONNECTIONS} connections, 10,000 users, runs of {result["seconds"]} s, medians of '
             f'{result["repetitions"]}', '', '| what | updates/s |', '|---|---|']
    return lines + [f'| {title} | {median(result["runs"][kind]):.0f} |' for kind, title in KINDS.items()]


def checks(result):
    of = {kind: median(found) for kind, found in result['runs'].items()}
    return [Check('presence updates/s ÷ Redis HSET + EXPIRE', of['silent'] / of['redis'], at_least=0.1)]
