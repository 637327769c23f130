"""(h) What rules cost inside the database: taking points of a rate limit (the bound is 2 µs a call, less what the statement around it
costs), from one backend and from two that want the same bucket; and joins decided a second, 200 a statement, as a bridge asks."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from harness.pgbench import pgbench
from harness.programs import BENCH, note
from harness.report import Check

DATABASE = 'bench_pulse'
CLASS = 'bench'
POLICIES = {'sql': 'SQL', 'plpgsql': 'plpgsql'}
JOINS_A_STATEMENT = 200


def elapsed(stage, calls, call):
    """Seconds that a statement with so many calls takes, by the server's clock."""
    return float(stage.cluster.psql(f"""
        CREATE TEMPORARY TABLE began AS SELECT clock_timestamp() AS at;
        DO $$ BEGIN PERFORM count(*) FROM generate_series(1, {calls}) AS n WHERE {call}; END $$;
        SELECT extract(epoch FROM clock_timestamp() - at) FROM began;""", DATABASE))


def takes(stage, calls, backends, subject):
    """Microseconds a call, beyond a call of an ordinary function in C, and calls a second of all backends."""
    def one(_):
        return elapsed(stage, calls, f"pulse.take('{CLASS}', {subject})")
    base = elapsed(stage, calls, f"starts_with({subject}, 'x') IS NOT NULL")
    with ThreadPoolExecutor(backends) as pool:
        seconds = list(pool.map(one, range(backends)))
    return {'us': (median(seconds) - base) / calls * 1e6, 'rate': calls * backends / max(seconds)}


def decisions(stage, language, seconds):
    return pgbench(stage.cluster, DATABASE, f'decide_{language}', 2, '-T', seconds).tps * JOINS_A_STATEMENT


def measure(stage):
    calls, seconds, repetitions = (200_000, 3, 1) if stage.quick else (1_000_000, 10, 3)
    stage.cluster.psql((BENCH / 'sql' / 'identity.sql').read_text(), DATABASE)
    note(f'identity: {repetitions} × (3 runs of {calls} takes, {len(POLICIES)} of decisions for {seconds} s)')
    runs = {'one': [], 'many': [], 'two': [], **{language: [] for language in POLICIES}}
    for n in range(repetitions):
        stage.wait_for_dispatcher()
        began = time.monotonic()
        runs['one'].append(takes(stage, calls, 1, f"'subject {n}'"))
        runs['many'].append(takes(stage, calls, 1, f"'subject {n} ' || n % 10000"))
        runs['two'].append(takes(stage, calls, 2, f"'subject {n}'"))
        for language in POLICIES:
            runs[language].append(decisions(stage, language, seconds))
        note(f'a round took {time.monotonic() - began:.0f} s')
    return runs


def _median(runs, name, key):
    return median(run[key] for run in runs[name])


def summary(runs):
    return ['(h) rate limits and decisions',
            *(f'  pulse.take, {title}: {_median(runs, name, "us"):.2f} µs a call, {_median(runs, name, "rate"):,.0f} calls/s'
              for name, title in (('one', 'one subject'), ('many', '10,000 subjects'), ('two', 'two backends on one subject'))),
            *(f'  joins decided by a policy in {title}: {median(runs[language]):,.0f} a second' for language, title in POLICIES.items())]


def checks(runs):
    return [Check('pulse.take, one subject, µs a call', _median(runs, 'one', 'us'), below=2),
            Check('pulse.take, 10,000 subjects, µs a call', _median(runs, 'many', 'us'), below=2)]
